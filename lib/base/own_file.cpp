#include "base/own_file.hpp"

#include <algorithm>
#include <cstddef>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul {

bool begins_with_one_of(Files& files, const std::string& path,
                        std::span<const std::string_view> beginnings) {
  const auto file = files.open(path, OpenMode::kRead);
  return std::ranges::any_of(beginnings, [&](std::string_view beginning) {
    std::string start(beginning.size(), '\0');
    const std::size_t got =
        file->read_at(0, std::as_writable_bytes(std::span(start.data(), start.size())));
    return got == start.size() && start == beginning;
  });
}

void require_own_file(Files& files, const std::string& path,
                      std::span<const std::string_view> beginnings, std::string_view what) {
  const PathKind kind = files.kind(path);
  if (kind == PathKind::kAbsent) {
    return;
  }
  if (kind == PathKind::kFile && (files.open(path, OpenMode::kRead)->size() == 0 ||
                                  begins_with_one_of(files, path, beginnings))) {
    return;
  }
  throw Error(ExitCode::kUsage,
              printable(path, 400) + " is there already, and is no " + std::string(what),
              "name another file, or remove it");
}

}  // namespace longhaul
