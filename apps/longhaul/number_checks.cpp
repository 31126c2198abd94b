#include "number_checks.hpp"

#include <cmath>
#include <optional>
#include <string>

#include "base/text.hpp"

namespace longhaul::app {
namespace {

std::string refusal(const std::string& text, const std::string& allowed) {
  return '\'' + printable(text, 100) + "' is not " + allowed;
}

CLI::Validator number(const std::string& allowed, double least) {
  return {[=](std::string& text) {
            const std::optional<double> value = parse_number(text);
            return value && std::isfinite(*value) && *value >= least ? std::string()
                                                                     : refusal(text, allowed);
          },
          ""};
}

}  // namespace

CLI::Validator whole_number(std::uint64_t least, std::uint64_t most) {
  const bool open = most == std::numeric_limits<std::uint64_t>::max();
  const std::string allowed =
      "a whole number " + (open ? "from " + format_count(least) + " on"
                                : "from " + format_count(least) + " to " + format_count(most));
  return {[=](std::string& text) {
            const std::optional<std::uint64_t> value = parse_count(text);
            return value && *value >= least && *value <= most ? std::string()
                                                              : refusal(text, allowed);
          },
          ""};
}

CLI::Validator number_from(double least) {
  return number("a number from " + short_number(least) + " on", least);
}

CLI::Validator any_number() {
  return number("a number", -std::numeric_limits<double>::infinity());
}

}  // namespace longhaul::app
