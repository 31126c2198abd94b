#include "left_out_words.hpp"

#include "base/text.hpp"

namespace longhaul::app {

std::vector<std::string> counts_in_words(
    std::initializer_list<std::pair<std::uint64_t, std::string>> counts) {
  std::vector<std::string> words;
  for (const auto& [count, what] : counts) {
    if (count > 0) {
      words.push_back(format_count(count) + ' ' + what);
    }
  }
  return words;
}

std::string left_out_words(const std::vector<std::string>& parts) {
  return parts.empty() ? "" : "; left out: " + join(parts, ", ");
}

}  // namespace longhaul::app
