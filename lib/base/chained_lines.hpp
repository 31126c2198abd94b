// Lines of JSON that are each checksummed together with the one before, so that none can be
// changed, missing or there twice and not be seen:
//   {"crc":"<16 hexadecimal digits>",<the rest of the object>
// Free functions; any thread.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace longhaul {

constexpr std::string_view kChainedStart = "{\"crc\":\"";
constexpr std::size_t kChainedDigits = 16;  // behind it

// The line of `object`, with its newline, behind one of checksum `previous` (empty: the first).
// Text in it need not be UTF-8.
std::string chained_line(std::string_view previous, const nlohmann::ordered_json& object);

// Whether `line`, without its newline, is whole and comes behind one of checksum `previous`.
bool is_chained(std::string_view previous, std::string_view line);

// Of a line that is: its checksum, and the object's text behind that, without the opening brace.
std::string_view chained_crc(std::string_view line);
std::string_view chained_body(std::string_view line);

}  // namespace longhaul
