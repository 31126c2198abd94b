#include "report/report_file.hpp"

#include <span>

#include "base/error.hpp"
#include "base/text.hpp"
#include "report/page.hpp"

namespace longhaul::report {

void require_own_page(Files& files, const std::string& path) {
  const PathKind kind = files.kind(path);
  if (kind == PathKind::kAbsent) {
    return;
  }
  if (kind == PathKind::kFile) {
    std::string start(kPageMark.size(), '\0');
    const std::size_t got =
        files.open(path, OpenMode::kRead)
            ->read_at(0, std::as_writable_bytes(std::span(start.data(), start.size())));
    if (got == start.size() && start == kPageMark) {
      return;
    }
  }
  throw Error(ExitCode::kUsage,
              printable(path, 400) + " is there already, and is no report of longhaul",
              "name another with --output, or remove it");
}

void write_page(Files& files, const std::string& path, std::string_view page) {
  require_own_page(files, path);
  const std::string aside = path + ".longhaul-report";
  {
    const auto file = files.open(aside, OpenMode::kCreate);
    file->truncate(0);
    file->write_at(0, bytes_of(page));
    file->sync();
  }
  files.rename(aside, path);
  files.sync_directory(parent_directory(path));
}

}  // namespace longhaul::report
