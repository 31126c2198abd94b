// Small text helpers shared by the rooms: sizes, durations, CSV fields, UTF-8.
// Pure functions; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

// "1.5 GiB", "512 MiB", "12 B".
std::string format_bytes(std::uint64_t bytes);
// Three significant digits: "0.00213", "2e-07".
std::string short_number(double value);
// "1h 02m", "3m 07s", "4.2 s", "120 ms".
std::string format_duration(std::chrono::duration<double> duration);
// "25,007".
std::string format_count(std::uint64_t count);

// "8G", "512MiB", "1e9", "100000": bytes. K, M, G, T are powers of 1024, with or without B or iB.
std::optional<std::uint64_t> parse_size(std::string_view text);
// "5s", "90", "1.5h", "10m", "2d", "250ms": without a unit, seconds.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
// Whole decimal number, nothing before or after it.
std::optional<std::uint64_t> parse_count(std::string_view text);
// A finite or infinite decimal number, read exactly (round to nearest), locale-free.
std::optional<double> parse_number(std::string_view text);

bool is_utf8(std::string_view text);
// Quotes a CSV field when RFC 4180 asks for it. Bytes that are not UTF-8 become \xNN.
std::string csv_field(std::string_view text);
// For messages: control characters and bytes that are not UTF-8 are escaped, the middle of a long
// text is left out.
std::string printable(std::string_view text, std::size_t limit = 80);

// The text as one word of a shell's command line: as it is, or in single quotes.
std::string shell_word(std::string_view text);

std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string to_lower(std::string_view text);  // ASCII only
bool ends_with_ignoring_case(std::string_view text, std::string_view suffix);

}  // namespace longhaul
