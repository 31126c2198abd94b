#include "base/posix_errors.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <system_error>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul {
namespace {

std::string reason(int code) {
  return std::generic_category().message(code);
}

// What helps wherever it happens; nothing where that depends on the file.
std::string remedy_of(int code) {
  switch (code) {
    case ELOOP:
      return "a link there leads back to itself: remove it, or name another path";
    case ENOENT:
      return "check the path: it is not there, or a folder of it is not";
    case ENOTDIR:
      return "a part of this path is a file: name another path";
    case ENAMETOOLONG:
      return "name a shorter path";
    case EROFS:
      return "this file system is read-only: name a path on another one";
    case EACCES:
    case EPERM:
      return "check the permissions there, or name another path";
    default:
      return "";
  }
}

std::optional<std::uint64_t> free_space(int descriptor) {
  struct statvfs info {};
  if (fstatvfs(descriptor, &info) != 0) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

}  // namespace

void fail(const std::string& action, const std::string& path, int code) {
  throw Error(ExitCode::kIo, "cannot " + action + " " + printable(path, 400) + ": " + reason(code),
              remedy_of(code));
}

void fail_write(int descriptor, const std::string& path, int code, std::size_t needed) {
  if (code == EFBIG) {
    throw Error(ExitCode::kIo, "cannot write " + printable(path, 400) + ": " + reason(code),
                "raise the limit on the size of files (ulimit -f), then give the same command "
                "again");
  }
  if (code != ENOSPC && code != EDQUOT) {
    fail("write", path, code);
  }
  const std::optional<std::uint64_t> free = free_space(descriptor);
  throw Error(ExitCode::kIo,
              "cannot write " + printable(path, 400) + ": " + reason(code) + ": " +
                  std::to_string(needed) + " bytes needed, " +
                  (free ? std::to_string(*free) : "an unknown number of") + " bytes free",
              "make room, then give the same command again");
}

void fail_directory(const std::string& path, int code) {
  const std::string link = path.substr(0, path.find_last_not_of('/') + 1);
  std::string target(4096, '\0');
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  struct stat info {};
  const bool there = ::stat(path.c_str(), &info) == 0;
  if (code == EEXIST && length > 0 && !there) {
    target.resize(static_cast<std::size_t>(length));
    throw Error(
        ExitCode::kIo,
        printable(path, 400) + " is a link to " + printable(target, 400) + ", which is not there",
        "make that directory, remove the link, or name another directory");
  }
  if (code == EEXIST && there) {
    throw Error(ExitCode::kIo, printable(path, 400) + " is a file, not a directory",
                "name another directory");
  }
  fail("make the directory", path, code);
}

}  // namespace longhaul
