// One JSON object of a card. Every access names the field when it is not what it must be.
// Borrows the object; one thread. Throws Error(kBadData).
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "domain/words.hpp"

namespace longhaul::encode {

class CardFields {
 public:
  CardFields(const nlohmann::json& object, std::string where, std::string prefix)
      : object_(object), where_(std::move(where)), prefix_(std::move(prefix)) {
    if (!object_.is_object()) {
      fail(prefix_.empty() ? "the card" : prefix_, "must be an object");
    }
  }

  void allow_only(std::initializer_list<std::string_view> names) const {
    for (const auto& [name, value] : object_.items()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        fail(path(name), "is not a field of a card; fields here are " +
                             join(std::vector<std::string>(names.begin(), names.end()), ", "));
      }
    }
  }

  bool has_value(std::string_view name) const {
    return object_.contains(name) && !object_.at(std::string(name)).is_null();
  }

  const nlohmann::json& at(std::string_view name) const {
    if (!object_.contains(name)) {
      fail(path(name), "is missing");
    }
    const nlohmann::json& value = object_.at(std::string(name));
    if (value.is_null()) {
      fail(path(name), "is null: it cannot be guessed, so the card must say it");
    }
    return value;
  }

  std::string text(std::string_view name) const {
    const nlohmann::json& value = at(name);
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      fail(path(name), "must be a string that is not empty");
    }
    return value.get<std::string>();
  }

  std::string text_or(std::string_view name, std::string_view otherwise) const {
    return object_.contains(name) ? text(name) : std::string(otherwise);
  }

  bool flag_or(std::string_view name, bool otherwise) const {
    if (!object_.contains(name)) {
      return otherwise;
    }
    if (!at(name).is_boolean()) {
      fail(path(name), "must be true or false");
    }
    return at(name).get<bool>();
  }

  std::uint32_t count(std::string_view name) const {
    const nlohmann::json& value = at(name);
    constexpr std::int64_t kMost = 1 << 24;
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 ||
        value.get<std::int64_t>() > kMost) {
      fail(path(name),
           "must be a whole number from 1 to " + std::to_string(kMost) + ", not " + value.dump());
    }
    return value.get<std::uint32_t>();
  }

  double number(std::string_view name) const {
    const nlohmann::json& value = at(name);
    if (!value.is_number()) {
      fail(path(name), "must be a number");
    }
    return value.get<double>();
  }

  const nlohmann::json& list(std::string_view name) const {
    if (!at(name).is_array()) {
      fail(path(name), "must be a list");
    }
    return at(name);
  }

  template <HasWords T>
  T choice(std::string_view name) const {
    const std::string word = text(name);
    const std::optional<T> value = from_string<T>(word);
    if (!value) {
      std::vector<std::string> allowed;
      for (const Word<T>& each : Words<T>::all) {
        allowed.emplace_back(each.text);
      }
      fail(path(name), "is '" + printable(word) + "'; allowed are " + join(allowed, ", "));
    }
    return *value;
  }

  std::string one_of(std::string_view name, std::string_view otherwise,
                     std::initializer_list<std::string_view> allowed) const {
    const std::string word = text_or(name, otherwise);
    if (std::find(allowed.begin(), allowed.end(), word) == allowed.end()) {
      fail(path(name), "is '" + printable(word) + "'; allowed are " +
                           join(std::vector<std::string>(allowed.begin(), allowed.end()), ", "));
    }
    return word;
  }

  CardFields child(const nlohmann::json& object, const std::string& name) const {
    return {object, where_, path(name)};
  }

  std::string path(std::string_view name) const {
    return prefix_.empty() ? std::string(name) : prefix_ + "." + std::string(name);
  }

  [[noreturn]] void fail(const std::string& field, const std::string& problem) const {
    throw Error(ExitCode::kBadData, where_ + ": " + field + " " + problem,
                "correct the card, or draft one with: longhaul inspect MODEL --draft-card");
  }

 private:
  const nlohmann::json& object_;
  std::string where_;
  std::string prefix_;
};

}  // namespace longhaul::encode
