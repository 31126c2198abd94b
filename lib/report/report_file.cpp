#include "report/report_file.hpp"

#include <array>

#include "base/error.hpp"
#include "base/own_file.hpp"
#include "base/text.hpp"
#include "base/write_aside.hpp"
#include "report/page.hpp"

namespace longhaul::report {
namespace {

void require_folder(Files& files, const std::string& folder) {
  if (files.kind(folder) != PathKind::kDirectory) {
    throw Error(ExitCode::kIo,
                printable(folder, 400) + ", where the page is to be, is no folder that is there",
                "make it, or name another place with --output");
  }
}

}  // namespace

void require_own_page(Files& files, const std::string& path) {
  const PathKind kind = files.kind(path);
  if (kind == PathKind::kAbsent) {
    require_folder(files, parent_directory(path));
    return;
  }
  if (kind == PathKind::kFile && begins_with_one_of(files, path, std::array{kPageMark})) {
    return;
  }
  throw Error(ExitCode::kUsage,
              printable(path, 400) + " is there already, and is no report of longhaul",
              "name another with --output, or remove it");
}

void write_page(Files& files, const std::string& path, std::string_view page) {
  require_own_page(files, path);
  write_aside(files, path, path + ".longhaul-report", page);
}

}  // namespace longhaul::report
