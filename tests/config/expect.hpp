// What the tests of this room share.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.hpp"
#include "config/run_config.hpp"

namespace longhaul::config::test {

// The whole line a user would see; fails unless `action` ends in a usage error.
inline std::string usage_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kUsage);
    return std::string(error.what()) + "; " + error.remedy();
  }
  FAIL("no error");
  return "";
}

}  // namespace longhaul::config::test
