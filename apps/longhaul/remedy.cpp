#include "remedy.hpp"

#include <regex>

#include "modules.hpp"

namespace longhaul::app {

std::string remedy_in(const std::string& folder, const std::string& remedy) {
  if (!folder.ends_with("/lib/longhaul")) {
    return remedy;
  }
  static const std::regex kExporter(R"((scripts/)?export_([a-z]+)\.py)");
  static const std::regex kHub(R"(\.venv/bin/hf )");
  return std::regex_replace(std::regex_replace(remedy, kExporter, "longhaul-export $2"), kHub,
                            "hf ");
}

std::string remedy_here(const Error& error) {
  return remedy_in(program_folder().string(), error.remedy());
}

}  // namespace longhaul::app
