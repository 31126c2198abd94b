#include "version.hpp"

#include <nlohmann/json.hpp>

#include "version_values.hpp"

namespace longhaul::app {

nlohmann::json versions() {
  return {{"longhaul", kVersion}, {"commit", kCommit}, {"compiler", kCompiler},
          {"torch", kTorch},      {"opencv", kOpenCv}, {"arrow", kArrow}};
}

std::string version_text() {
  return std::string("longhaul ") + kVersion + " (commit " + kCommit + ", " + kCompiler +
         ")\nLibTorch " + kTorch + ", OpenCV " + kOpenCv + ", Arrow " + kArrow;
}

}  // namespace longhaul::app
