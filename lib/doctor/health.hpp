// What `longhaul doctor` finds: a line for each thing it tried.
// Values; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace longhaul::doctor {

enum class Health { kOk, kWarning, kFailed };
std::string_view to_string(Health health);  // ok, warning, failed

struct HealthLine {
  std::string name;
  Health health = Health::kOk;
  std::string said;
  std::string remedy = {};  // of what is not ok
};

HealthLine ok(std::string name, std::string said);
HealthLine warning(std::string name, std::string said, std::string remedy);
HealthLine failed(std::string name, std::string said, std::string remedy);

// The line of `check`; where it throws an Error, what that says.
HealthLine line_of(const std::string& name, const std::function<HealthLine()>& check);

}  // namespace longhaul::doctor
