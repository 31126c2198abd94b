#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace longhaul {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

// Length of the UTF-8 sequence that starts at `at`, 0 when it is not valid (Unicode 15, table 3-7).
std::size_t utf8_sequence(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) {
    return 1;
  }
  std::size_t size = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    size = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    size = 3;
    low = first == 0xE0 ? 0xA0 : low;
    high = first == 0xED ? 0x9F : high;
  } else if (first >= 0xF0 && first <= 0xF4) {
    size = 4;
    low = first == 0xF0 ? 0x90 : low;
    high = first == 0xF4 ? 0x8F : high;
  } else {
    return 0;
  }
  if (at + size > text.size() || byte(at + 1) < low || byte(at + 1) > high) {
    return 0;
  }
  for (std::size_t i = 2; i < size; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) {
      return 0;
    }
  }
  return size;
}

// Copies text, writing bytes that are not UTF-8, and control characters if asked, as \xNN.
std::string escape(std::string_view text, bool escape_controls) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = utf8_sequence(text, at);
    const auto byte = static_cast<unsigned char>(text[at]);
    if (size == 0 || (escape_controls && (byte < 0x20 || byte == 0x7F))) {
      out += "\\x";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
      ++at;
    } else {
      out.append(text, at, size);
      at += size;
    }
  }
  return out;
}

struct Unit {
  std::string_view name;
  double factor;
};

// Splits "12.5kib" into 12.5 and the factor of its unit.
std::optional<double> parse_with_unit(std::string_view text, const auto& units) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || !std::isfinite(number) || number < 0) {
    return std::nullopt;
  }
  const std::string unit =
      to_lower({end, static_cast<std::size_t>(text.data() + text.size() - end)});
  for (const Unit& candidate : units) {
    if (candidate.name == unit) {
      return number * candidate.factor;
    }
  }
  return std::nullopt;
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 48> buffer{};
  std::snprintf(buffer.data(), buffer.size(), unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s",
                value, kUnits.at(unit));
  return buffer.data();
}

std::string short_number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.3g", value);
  return text.data();
}

std::string format_duration(std::chrono::duration<double> duration) {
  const double seconds = duration.count();
  std::array<char, 48> buffer{};
  if (!std::isfinite(seconds) || seconds < 0) {
    return "?";
  }
  if (seconds < 1) {
    std::snprintf(buffer.data(), buffer.size(), "%.0f ms", seconds * 1e3);
  } else if (seconds < 60) {
    std::snprintf(buffer.data(), buffer.size(), "%.1f s", seconds);
  } else {
    const auto whole = static_cast<unsigned long long>(std::min(seconds, 1e15));
    if (whole < 3600) {
      std::snprintf(buffer.data(), buffer.size(), "%llum %02llus", whole / 60, whole % 60);
    } else {
      std::snprintf(buffer.data(), buffer.size(), "%lluh %02llum", whole / 3600, whole % 3600 / 60);
    }
  }
  return buffer.data();
}

std::string format_count(std::uint64_t count) {
  std::string digits = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr double k = 1024;
  static constexpr std::array kUnits{Unit{"", 1},
                                     Unit{"b", 1},
                                     Unit{"k", k},
                                     Unit{"kb", k},
                                     Unit{"kib", k},
                                     Unit{"m", k * k},
                                     Unit{"mb", k * k},
                                     Unit{"mib", k * k},
                                     Unit{"g", k * k * k},
                                     Unit{"gb", k * k * k},
                                     Unit{"gib", k * k * k},
                                     Unit{"t", k * k * k * k},
                                     Unit{"tb", k * k * k * k},
                                     Unit{"tib", k * k * k * k}};
  const std::optional<double> bytes = parse_with_unit(text, kUnits);
  if (!bytes || *bytes >= 9e18) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(*bytes);
}

namespace {

// M:S, H:M:S, D-H, D-H:M, D-H:M:S: the times of Slurm's --time (sbatch(1)) that are no plain
// number.
std::optional<std::chrono::milliseconds> parse_slurm_time(std::string_view text) {
  const std::size_t dash = text.find('-');
  std::uint64_t days = 0;
  if (dash != std::string_view::npos) {
    const std::optional<std::uint64_t> read = parse_count(text.substr(0, dash));
    if (!read) {
      return std::nullopt;
    }
    days = *read;
    text.remove_prefix(dash + 1);
  }
  std::vector<std::uint64_t> parts;
  for (bool more = true; more;) {
    const std::size_t colon = text.find(':');
    more = colon != std::string_view::npos;
    const std::optional<std::uint64_t> part = parse_count(text.substr(0, colon));
    // The largest unit may count as far as it likes.
    if (!part || (*part >= 60 && !parts.empty()) || *part > 1'000'000'000) {
      return std::nullopt;
    }
    parts.push_back(*part);
    text.remove_prefix(more ? colon + 1 : text.size());
  }
  if (parts.size() > 3 || days > 100'000'000) {
    return std::nullopt;
  }
  if (dash == std::string_view::npos) {
    parts.insert(parts.begin(), 3 - parts.size(), 0);
  } else {
    parts.resize(3, 0);
  }
  return std::chrono::seconds(((days * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2]);
}

}  // namespace

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const std::size_t letter = text.find_first_not_of("0123456789");
  if (letter != std::string_view::npos && (text[letter] == ':' || text[letter] == '-')) {
    return parse_slurm_time(text);
  }
  static constexpr std::array kUnits{Unit{"", 1e3},     Unit{"ms", 1},     Unit{"s", 1e3},
                                     Unit{"m", 60e3},   Unit{"min", 60e3}, Unit{"h", 3600e3},
                                     Unit{"d", 86400e3}};
  const std::optional<double> milliseconds = parse_with_unit(text, kUnits);
  if (!milliseconds || *milliseconds >= 9e15) {
    return std::nullopt;
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(*milliseconds));
}

std::optional<std::uint64_t> parse_count(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end || text.empty()) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const char* start = text.data() + (!text.empty() && text.front() == '+' ? 1 : 0);
  const auto [stop, error] = std::from_chars(start, end, value);
  if (error != std::errc{} || stop != end || start == end) {
    return std::nullopt;
  }
  return value;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const std::size_t size = utf8_sequence(text, at);
    if (size == 0) {
      return false;
    }
    at += size;
  }
  return true;
}

std::string csv_field(std::string_view text) {
  std::string field = is_utf8(text) ? std::string(text) : escape(text, false);
  if (field.find_first_of(",\"\r\n") == std::string::npos) {
    return field;
  }
  std::string quoted = "\"";
  for (const char c : field) {
    quoted += c;
    if (c == '"') {
      quoted += '"';
    }
  }
  return quoted + '"';
}

std::string printable(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) {
    return escape(text, true);
  }
  const std::size_t half = limit / 2;
  return escape(text.substr(0, half), true) + "..." + escape(text.substr(text.size() - half), true);
}

std::string shell_word(std::string_view text) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string word = "'";
  for (const char c : text) {
    word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  }
  return word + "'";
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) {
      out += separator;
    }
    out += parts[i];
  }
  return out;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

bool ends_with_ignoring_case(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         to_lower(text.substr(text.size() - suffix.size())) == to_lower(suffix);
}

}  // namespace longhaul
