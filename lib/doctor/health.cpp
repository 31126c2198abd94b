#include "doctor/health.hpp"

#include <utility>

namespace longhaul::doctor {

std::string_view to_string(Health health) {
  switch (health) {
    case Health::kOk:
      return "ok";
    case Health::kWarning:
      return "warning";
    case Health::kFailed:
      break;
  }
  return "failed";
}

HealthLine ok(std::string name, std::string said) {
  return {std::move(name), Health::kOk, std::move(said), ""};
}

HealthLine warning(std::string name, std::string said, std::string remedy) {
  return {std::move(name), Health::kWarning, std::move(said), std::move(remedy)};
}

HealthLine failed(std::string name, std::string said, std::string remedy) {
  return {std::move(name), Health::kFailed, std::move(said), std::move(remedy)};
}

HealthLine line_of(const std::string& name, const std::function<HealthLine()>& check) {
  try {
    return check();
  } catch (const Error& error) {
    return failed(name, error.what(), error.remedy());
  }
}

}  // namespace longhaul::doctor
