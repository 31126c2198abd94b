#include "config/setting_values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "base/error.hpp"
#include "base/text.hpp"
#include "config/device_list.hpp"

namespace longhaul::config::values {

Allowed with_word(Allowed words, const std::string& unset) {
  words.push_back(unset);
  return words;
}

std::string with_unset(std::string allowed, const std::string& unset) {
  return unset.empty() ? allowed : allowed + ", or " + unset;
}
namespace {

using nlohmann::json;

std::string describe(Range range) {
  if (range.most == std::numeric_limits<std::uint64_t>::max()) {
    return range.least == 0 ? "a whole number"
                            : "a whole number, " + std::to_string(range.least) + " or more";
  }
  return "a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most);
}

std::uint64_t read_count(const std::string& value, Range range, const std::string& unset) {
  const std::optional<std::uint64_t> number = parse_count(value);
  if (!number) {
    reject(value, "is not a whole number", with_unset(describe(range), unset));
  }
  if (*number < range.least || *number > range.most) {
    reject(value, "is out of range", with_unset(describe(range), unset));
  }
  return *number;
}

template <typename Number>
Access plain_count(Number RunConfig::*field, Range range) {
  range.most = std::min<std::uint64_t>(range.most, std::numeric_limits<Number>::max());
  return {[field, range](RunConfig& config, const std::string& value) {
            config.*field = static_cast<Number>(read_count(value, range, ""));
          },
          [field](const RunConfig& config) -> json { return config.*field; }};
}

template <typename Number>
Access optional_count(std::optional<Number> RunConfig::*field, Range range, std::string unset) {
  range.most = std::min<std::uint64_t>(range.most, std::numeric_limits<Number>::max());
  return {[field, range, unset](RunConfig& config, const std::string& value) {
            if (value == unset) {
              (config.*field).reset();
            } else {
              config.*field = static_cast<Number>(read_count(value, range, unset));
            }
          },
          [field](const RunConfig& config) -> json {
            return config.*field ? json(*(config.*field)) : json(nullptr);
          },
          unset};
}

std::chrono::milliseconds read_duration(const std::string& value, const std::string& unset) {
  const std::optional<std::chrono::milliseconds> duration = parse_duration(value);
  if (!duration) {
    reject(value, "is not a duration",
           with_unset("such as 250ms, 5s, 10m, 1.5h, 2d, 4:00:00", unset));
  }
  return *duration;
}

std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t count = duration.count();
  return count % 1000 == 0 ? std::to_string(count / 1000) + "s" : std::to_string(count) + "ms";
}

// The shortest decimal text that reads back as the same number.
std::string number_text(double number) {
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return error == std::errc{} ? std::string(buffer.data(), end) : "?";
}

}  // namespace

void reject(const std::string& value, const std::string& what, const std::string& allowed) {
  throw Error(ExitCode::kUsage, "'" + printable(value) + "' " + what, "allowed: " + allowed);
}

std::optional<bool> parse_switch(std::string_view text) {
  const std::string value = to_lower(text);
  for (const char* yes : {"true", "1", "yes", "on"}) {
    if (value == yes) {
      return true;
    }
  }
  for (const char* no : {"false", "0", "no", "off"}) {
    if (value == no) {
      return false;
    }
  }
  return std::nullopt;
}

Access text(std::string RunConfig::*field) {
  return {[field](RunConfig& config, const std::string& value) {
            if (value.empty()) {
              reject(value, "is empty", "any text");
            }
            config.*field = value;
          },
          [field](const RunConfig& config) -> json {
            return (config.*field).empty() ? json(nullptr) : json(config.*field);
          }};
}

Access text(std::optional<std::string> RunConfig::*field) {
  return {[field](RunConfig& config, const std::string& value) {
            if (value.empty()) {
              reject(value, "is empty", "any text");
            }
            config.*field = value;
          },
          [field](const RunConfig& config) -> json {
            return config.*field ? json(*(config.*field)) : json(nullptr);
          }};
}

Access texts(std::vector<std::string> RunConfig::*field) {
  return {[field](RunConfig& config, const std::string& value) {
            if (value.empty()) {
              reject(value, "is empty", "any text");
            }
            (config.*field).push_back(value);
          },
          [field](const RunConfig& config) -> json { return config.*field; }};
}

Access toggle(bool RunConfig::*field) {
  return {[field](RunConfig& config, const std::string& value) {
            const std::optional<bool> on = parse_switch(value);
            if (!on) {
              reject(value, "is neither true nor false", "true, false, 1, 0, yes, no, on, off");
            }
            config.*field = *on;
          },
          [field](const RunConfig& config) -> json { return config.*field; }};
}

Access word(std::string RunConfig::*field, Allowed allowed) {
  return {[field, allowed](RunConfig& config, const std::string& value) {
            if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
              reject(value, "is not one of its values", join(allowed, ", "));
            }
            config.*field = value;
          },
          [field](const RunConfig& config) -> json { return config.*field; }, "", allowed};
}

Access word(std::optional<std::string> RunConfig::*field, Allowed allowed, std::string unset) {
  return {[field, allowed, unset](RunConfig& config, const std::string& value) {
            if (value == unset) {
              (config.*field).reset();
            } else if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) {
              config.*field = value;
            } else {
              reject(value, "is not one of its values", with_unset(join(allowed, ", "), unset));
            }
          },
          [field](const RunConfig& config) -> json {
            return config.*field ? json(*(config.*field)) : json(nullptr);
          },
          unset, with_word(allowed, unset)};
}

Access device(std::string RunConfig::*field) {
  return {[field](RunConfig& config, const std::string& value) {
            const bool plain =
                value == "auto" || value == "cpu" || value == "cuda" || value == "mps";
            const bool numbered = value.starts_with("cuda:") && !listed_devices(value).empty();
            if (!plain && !numbered) {
              reject(value, "is not a device", "auto, cpu, cuda, cuda:N, mps, cuda:0,2, cuda:all");
            }
            config.*field = value;
          },
          [field](const RunConfig& config) -> json { return config.*field; },
          "",
          {"auto", "cpu", "cuda", "mps"}};
}

Access delimiter(std::optional<std::string> RunConfig::*field, std::string unset) {
  return {[field, unset](RunConfig& config, const std::string& value) {
            constexpr std::pair<std::string_view, std::string_view> kNames[] = {
                {"comma", ","}, {"semicolon", ";"}, {"tab", "\t"},
                {"\\t", "\t"},  {"bar", "|"},       {"pipe", "|"}};
            if (value == unset) {
              (config.*field).reset();
              return;
            }
            for (const auto& [name, character] : kNames) {
              if (value == name) {
                config.*field = std::string(character);
                return;
              }
            }
            const bool usable = value.size() == 1 && value != "\"" && value != "\n" &&
                                value != "\r" && static_cast<unsigned char>(value[0]) < 0x7f;
            if (!usable) {
              reject(value, "is no delimiter",
                     with_unset("comma, semicolon, tab, bar, or one other character", unset));
            }
            config.*field = value;
          },
          [field](const RunConfig& config) -> json {
            if (!(config.*field)) {
              return nullptr;
            }
            return *(config.*field) == "\t" ? "tab" : *(config.*field);
          },
          unset};
}

Access shard(std::optional<ShardChoice> RunConfig::*field, std::string unset) {
  return {
      [field, unset](RunConfig& config, const std::string& value) {
        if (value == unset) {
          (config.*field).reset();
          return;
        }
        const std::size_t slash = value.find('/');
        const std::string which = value.substr(0, slash);
        ShardChoice choice;
        choice.index = parse_count(which);
        if (slash != std::string::npos) {
          choice.count = parse_count(value.substr(slash + 1));
        }
        const bool counted = choice.count && *choice.count >= 1;
        if (which == "auto" ? slash != std::string::npos && !counted : !choice.index || !counted) {
          reject(value, "is no shard",
                 with_unset("I/N such as 2/8, I from 1 to N; auto; auto/N", unset));
        }
        if (choice.index && (*choice.index < 1 || *choice.index > *choice.count)) {
          reject(value, "is no shard", "I/N with I from 1 to N");
        }
        config.*field = choice;
      },
      [field](const RunConfig& config) -> json {
        const std::optional<ShardChoice>& choice = config.*field;
        if (!choice) {
          return nullptr;
        }
        return (choice->index ? std::to_string(*choice->index) : "auto") +
               (choice->count ? "/" + std::to_string(*choice->count) : "");
      },
      unset};
}

Access sha256(std::optional<std::string> RunConfig::*field) {
  return {[field](RunConfig& config, const std::string& value) {
            const std::string digest = to_lower(value);
            if (digest.size() != 64 ||
                digest.find_first_not_of("0123456789abcdef") != std::string::npos) {
              reject(value, "is not a SHA-256", "64 hexadecimal digits, as sha256sum prints them");
            }
            config.*field = digest;
          },
          [field](const RunConfig& config) -> json {
            return config.*field ? json(*(config.*field)) : json(nullptr);
          }};
}

Access count(std::uint32_t RunConfig::*field, Range range) {
  return plain_count(field, range);
}
Access count(std::uint64_t RunConfig::*field, Range range) {
  return plain_count(field, range);
}
Access count(std::optional<std::uint32_t> RunConfig::*field, Range range, std::string unset) {
  return optional_count(field, range, std::move(unset));
}
Access count(std::optional<std::uint64_t> RunConfig::*field, Range range, std::string unset) {
  return optional_count(field, range, std::move(unset));
}

Access size(std::optional<std::uint64_t> RunConfig::*field, std::string unset) {
  return {[field, unset](RunConfig& config, const std::string& value) {
            if (value == unset) {
              (config.*field).reset();
              return;
            }
            const std::optional<std::uint64_t> bytes = parse_size(value);
            if (!bytes || *bytes == 0) {
              reject(value, "is not a size", with_unset("such as 800M, 12G, 1.5GiB", unset));
            }
            config.*field = *bytes;
          },
          [field](const RunConfig& config) -> json {
            return config.*field ? json(*(config.*field)) : json(nullptr);
          },
          unset};
}

Access duration(std::chrono::milliseconds RunConfig::*field) {
  return {[field](RunConfig& config, const std::string& value) {
            config.*field = read_duration(value, "");
          },
          [field](const RunConfig& config) -> json { return duration_text(config.*field); }};
}

Access duration(std::optional<std::chrono::milliseconds> RunConfig::*field, std::string unset) {
  return {[field, unset](RunConfig& config, const std::string& value) {
            if (value == unset) {
              (config.*field).reset();
              return;
            }
            const std::chrono::milliseconds duration = read_duration(value, unset);
            if (duration.count() == 0) {
              reject(value, "leaves no time", with_unset("more than 0", unset));
            }
            config.*field = duration;
          },
          [field](const RunConfig& config) -> json {
            return config.*field ? json(duration_text(*(config.*field))) : json(nullptr);
          },
          unset};
}

Access reject_limit(config::RejectLimit RunConfig::*field) {
  return {[field](RunConfig& config, const std::string& value) {
            const char* allowed = "a number of records, or a share from 0% to 100%, or none";
            config::RejectLimit limit;
            if (value.ends_with('%')) {
              std::string digits = value.substr(0, value.size() - 1);
              digits.erase(digits.find_last_not_of(' ') + 1);
              limit.percent = parse_number(digits);
              if (!limit.percent || !(*limit.percent >= 0 && *limit.percent <= 100)) {
                reject(value, "is not a share", allowed);
              }
            } else if (value != "none") {
              limit.count = parse_count(value);
              if (!limit.count) {
                reject(value, "is neither a number nor a share", allowed);
              }
            }
            config.*field = limit;
          },
          [field](const RunConfig& config) -> json {
            const RejectLimit& limit = config.*field;
            if (limit.percent) {
              return number_text(*limit.percent) + "%";
            }
            return limit.count ? json(*limit.count) : json(nullptr);
          }};
}

Access ratio(std::optional<double> RunConfig::*field, double most, std::string unset) {
  return {[field, most, unset](RunConfig& config, const std::string& value) {
            if (value == unset) {
              (config.*field).reset();
              return;
            }
            const std::optional<double> number = parse_number(value);
            if (!number || !(*number >= 0 && *number <= most)) {
              reject(value, "is not such a ratio",
                     with_unset("a number from 0 to " + number_text(most), unset));
            }
            config.*field = *number;
          },
          [field](const RunConfig& config) -> json {
            return config.*field ? json(*(config.*field)) : json(nullptr);
          },
          unset};
}

}  // namespace longhaul::config::values
