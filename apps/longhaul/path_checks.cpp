#include "path_checks.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::app {
namespace {

namespace fs = std::filesystem;

// Symbolic links are followed as far as the path exists.
std::optional<fs::path> real(const std::string& path) {
  std::error_code error;
  fs::path found = fs::weakly_canonical(path, error);
  return error ? std::nullopt : std::optional(std::move(found));
}

bool lies_in(const std::string& path, const std::string& folder) {
  const std::optional<fs::path> inner = real(path);
  const std::optional<fs::path> outer = real(folder);
  if (!inner || !outer) {
    return false;
  }
  const fs::path way = inner->lexically_relative(*outer);
  return !way.empty() && *way.begin() != "..";
}

void require_outside(const char* flag, const std::optional<std::string>& file,
                     const std::string& output) {
  if (file && lies_in(*file, output)) {
    throw Error(ExitCode::kUsage,
                std::string(flag) + ' ' + printable(*file, 400) + " lies in the output directory " +
                    printable(output, 400) + ", which is embed's own",
                "name a file beside it");
  }
}

}  // namespace

void require_apart(const config::RunConfig& config) {
  if (config.output.empty()) {
    return;
  }
  require_outside("--log-file", config.log_file, config.output);
  require_outside("--metrics-file", config.metrics_file, config.output);
  for (const std::string& input : config.inputs) {
    std::error_code ignored;
    if (fs::is_directory(input, ignored) && lies_in(config.output, input)) {
      throw Error(ExitCode::kUsage,
                  "the output directory " + printable(config.output, 400) +
                      " lies in the input folder " + printable(input, 400) +
                      ": the next start would take its files for input",
                  "name an --output outside of that folder");
    }
  }
}

}  // namespace longhaul::app
