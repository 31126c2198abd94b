#include "own_flags.hpp"

#include <algorithm>

namespace longhaul::app {

std::vector<std::string> without_own_flags(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == kContinuationFlag || arguments[i] == kShareFlag) {
      ++i;
    } else {
      words.push_back(arguments[i]);
    }
  }
  return words;
}

std::vector<std::string> with_own_flag(std::vector<std::string> arguments, const std::string& flag,
                                       const std::string& value) {
  const auto place = arguments.begin() + std::min<std::ptrdiff_t>(2, std::ssize(arguments));
  arguments.insert(place, {flag, value});
  return arguments;
}

}  // namespace longhaul::app
