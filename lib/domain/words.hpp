// Enumerations that have words: one table each, read by settings, cards, journals and reports.
// An enumeration gets words by a specialisation of Words, beside its definition:
//   template <> struct Words<Gaps> { static constexpr Word<Gaps> all[] = {{"reject", ...}, ...}; };
// Pure; any thread.
#pragma once

#include <optional>
#include <string_view>

namespace longhaul {

template <typename E>
struct Word {
  std::string_view text;
  E value;
};

template <typename E>
struct Words;

template <typename E>
concept HasWords = requires {
  Words<E>::all;
};

template <HasWords E>
constexpr std::string_view to_string(E value) {
  for (const Word<E>& word : Words<E>::all) {
    if (word.value == value) {
      return word.text;
    }
  }
  return "?";
}

// Nothing where no word is spelt so.
template <HasWords E>
constexpr std::optional<E> from_string(std::string_view text) {
  for (const Word<E>& word : Words<E>::all) {
    if (word.text == text) {
      return word.value;
    }
  }
  return std::nullopt;
}

}  // namespace longhaul
