// How a setting's text becomes a field of RunConfig and back: one pair of functions per kind of
// value. Only the settings table uses it. A setter throws Error(kUsage) that says what the value is
// not and what is allowed; whoever calls it adds which flag, variable or key the text came from.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "config/run_config.hpp"

namespace longhaul::config::values {

struct Access {
  std::function<void(config::RunConfig&, const std::string&)> set;
  std::function<nlohmann::json(const RunConfig&)> get;
  std::string unset = {};  // what null is in words, and may be given: "auto", "card", "none"
  std::vector<std::string> words = {};  // all that it may be, or the usual ones of these
};

using Allowed = std::vector<std::string>;

Access text(std::string RunConfig::*field);
Access text(std::optional<std::string> RunConfig::*field);
Access texts(std::vector<std::string> RunConfig::*field);
Access toggle(bool RunConfig::*field);

Access word(std::string RunConfig::*field, Allowed allowed);
// `unset` is the word that leaves the choice to the card or the machine.
Access word(std::optional<std::string> RunConfig::*field, Allowed allowed, std::string unset);
Access device(std::string RunConfig::*field);
// One character, or the name of a usual one; "tab" is how a tab is shown.
Access delimiter(std::optional<std::string> RunConfig::*field, std::string unset);
Access sha256(std::optional<std::string> RunConfig::*field);

// 2/8, auto or auto/8.
Access shard(std::optional<ShardChoice> RunConfig::*field, std::string unset);

struct Range {
  std::uint64_t least = 0;
  std::uint64_t most = ~std::uint64_t{0};
};
Access count(std::uint32_t RunConfig::*field, Range range);
Access count(std::uint64_t RunConfig::*field, Range range);
Access count(std::optional<std::uint32_t> RunConfig::*field, Range range, std::string unset);
Access count(std::optional<std::uint64_t> RunConfig::*field, Range range, std::string unset);
Access size(std::optional<std::uint64_t> RunConfig::*field, std::string unset);
Access duration(std::chrono::milliseconds RunConfig::*field);
Access duration(std::optional<std::chrono::milliseconds> RunConfig::*field, std::string unset);
Access reject_limit(config::RejectLimit RunConfig::*field);
Access ratio(std::optional<double> RunConfig::*field, double most, std::string unset);

// "fp32, bf16 or card", where `unset` is "card".
std::string with_unset(std::string allowed, const std::string& unset);
[[noreturn]] void reject(const std::string& value, const std::string& what,
                         const std::string& allowed);

template <HasWords Enum>
Allowed words_of() {
  Allowed words;
  for (const Word<Enum>& word : longhaul::Words<Enum>::all) {
    words.emplace_back(word.text);
  }
  return words;
}

template <HasWords Enum>
std::string word_list() {
  return join(words_of<Enum>(), ", ");
}

// And the word for what is left open.
Allowed with_word(Allowed words, const std::string& unset);

template <HasWords Enum>
Access choice(Enum RunConfig::*field) {
  return {[field](RunConfig& config, const std::string& value) {
            const std::optional<Enum> meaning = from_string<Enum>(value);
            if (!meaning) {
              reject(value, "is not one of its values", word_list<Enum>());
            }
            config.*field = *meaning;
          },
          [field](const RunConfig& config) -> nlohmann::json { return to_string(config.*field); },
          "", words_of<Enum>()};
}

// `unset` is the word that leaves the choice to the card or the machine.
template <HasWords Enum>
Access choice(std::optional<Enum> RunConfig::*field, const std::string& unset) {
  return {[field, unset](RunConfig& config, const std::string& value) {
            const std::optional<Enum> meaning = from_string<Enum>(value);
            if (!meaning && value != unset) {
              reject(value, "is not one of its values", with_unset(word_list<Enum>(), unset));
            }
            config.*field = meaning;
          },
          [field](const RunConfig& config) -> nlohmann::json {
            return config.*field ? nlohmann::json(to_string(*(config.*field))) : nullptr;
          },
          unset, with_word(words_of<Enum>(), unset)};
}

// True, false, or nothing when the text is neither.
std::optional<bool> parse_switch(std::string_view text);

}  // namespace longhaul::config::values
