#include "base/chained_lines.hpp"

#include <nlohmann/json.hpp>

#include "base/hash.hpp"

namespace longhaul {
namespace {

constexpr std::string_view kBehindCrc = "\",";
constexpr std::size_t kBodyAt = kChainedStart.size() + kChainedDigits + kBehindCrc.size();

std::string crc_of(std::string_view previous, std::string_view body) {
  RunningHash64 hash;
  hash.add(previous);
  hash.add(body);
  return to_hex(hash.value());
}

}  // namespace

std::string chained_line(std::string_view previous, const nlohmann::ordered_json& object) {
  using Handler = nlohmann::ordered_json::error_handler_t;
  const std::string body = object.dump(-1, ' ', false, Handler::replace).substr(1);
  return std::string(kChainedStart) + crc_of(previous, body) + std::string(kBehindCrc) + body +
         "\n";
}

bool is_chained(std::string_view previous, std::string_view line) {
  return line.size() > kBodyAt && line.starts_with(kChainedStart) &&
         line.substr(kBodyAt - kBehindCrc.size(), kBehindCrc.size()) == kBehindCrc &&
         chained_crc(line) == crc_of(previous, chained_body(line));
}

std::string_view chained_crc(std::string_view line) {
  return line.substr(kChainedStart.size(), kChainedDigits);
}

std::string_view chained_body(std::string_view line) {
  return line.substr(kBodyAt);
}

}  // namespace longhaul
