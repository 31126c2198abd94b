#include "replay_paths.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "process_setup.hpp"

namespace longhaul::app {
namespace {

struct PathUse {
  std::string* path;
  bool from_file;
};

bool is_relative(const std::string& path) {
  return !path.empty() && path != "-" && path.front() != '/';
}

std::vector<PathUse> paths_of(config::ResolvedConfig& resolved, const ConfigOptions& options) {
  config::RunConfig& config = resolved.config;
  const auto from_file = [&](const char* setting) {
    const auto origin = resolved.origins.find(setting);
    return origin != resolved.origins.end() && origin->second == config::Origin::kFile;
  };
  std::vector<PathUse> paths{{&config.model, options.model.empty()},
                             {&config.output, from_file("output")}};
  for (std::string& input : config.inputs) {
    paths.push_back({&input, options.inputs.empty()});
  }
  if (config.files_from) {
    paths.push_back({&*config.files_from, from_file("files-from")});
  }
  for (std::string& output : config.reuse) {
    paths.push_back({&output, from_file("reuse")});
  }
  if (config.card) {
    paths.push_back({&*config.card, from_file("card")});
  }
  if (config.log_file) {
    paths.push_back({&*config.log_file, from_file("log-file")});
  }
  if (config.metrics_file) {
    paths.push_back({&*config.metrics_file, from_file("metrics-file")});
  }
  return paths;
}

}  // namespace

std::optional<std::string> enter_recorded_directory(config::ResolvedConfig& resolved,
                                                    const ConfigOptions& options) {
  const std::optional<std::string> here = working_directory();
  if (!resolved.recorded_directory || resolved.recorded_directory == here) {
    return std::nullopt;
  }
  const std::string& recorded = *resolved.recorded_directory;
  const std::vector<PathUse> paths = paths_of(resolved, options);
  bool needed = false;
  for (const PathUse& use : paths) {
    needed = needed || (use.from_file && is_relative(*use.path));
  }
  if (!needed) {
    return std::nullopt;
  }
  for (const PathUse& use : paths) {
    if (!use.from_file && is_relative(*use.path)) {
      *use.path = std::filesystem::absolute(*use.path).string();
    }
  }
  if (chdir(recorded.c_str()) != 0) {
    throw Error(ExitCode::kIo,
                "the paths in " + printable(options.config_file, 400) + " are relative to " +
                    printable(recorded, 400) +
                    ", where its run was started, and that cannot be "
                    "entered: " +
                    std::strerror(errno),
                "give MODEL, INPUT... and -o on the command line");
  }
  resolved.notices.push_back("the paths in " + printable(options.config_file, 400) +
                             " are taken from " + printable(recorded, 400) +
                             ", where its run was started");
  return here;
}

void enter_directory_if_there(const config::ResolvedConfig& resolved) {
  if (resolved.recorded_directory) {
    // Where that fails, what is relative to it is not at hand.
    [[maybe_unused]] const int failed = chdir(resolved.recorded_directory->c_str());
  }
}

}  // namespace longhaul::app
