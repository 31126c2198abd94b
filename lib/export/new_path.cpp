#include "export/new_path.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::export_room {
namespace {

constexpr std::string_view kPart = "part-";
constexpr std::size_t kPartDigits = 5;

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
  return path;
}

[[noreturn]] void taken(const std::string& path) {
  throw Error(ExitCode::kUsage, printable(path, 400) + " is there already, and is not overwritten",
              "name another with --output, or remove it");
}

}  // namespace

NewPath::NewPath(Files& files, std::string path, PathKind kind, std::string ending,
                 const std::string& holder)
    : files_(files),
      path_(without_slashes(std::move(path))),
      partial_(path_ + ".longhaul-export"),
      kind_(kind),
      ending_(std::move(ending)) {
  require_free();
  const std::string lock = partial_ + ".lock";
  lock_ = files_.lock(lock, holder, std::nullopt);
  if (!lock_) {
    throw Error(
        ExitCode::kUnavailable,
        printable(path_, 400) + " is being written by " + printable(read_text(files_, lock), 400),
        "wait for it, or name another with --output");
  }
  require_free();  // it may have come while the lock was another's
  remove_partial();
  if (kind_ == PathKind::kDirectory) {
    files_.make_directory(partial_);
  }
}

NewPath::~NewPath() {
  if (published_) {
    return;
  }
  try {
    remove_partial();
  } catch (...) {
    // The next start removes it, or says why it cannot.
  }
}

void NewPath::require_free() const {
  if (path_ == "-") {
    throw Error(ExitCode::kUsage, "--output - is no file, and what is written is there when whole",
                "name a file with --output");
  }
  if (files_.exists(path_)) {
    taken(path_);
  }
}

std::string NewPath::part(std::uint64_t number) const {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%s%05llu", kPart.data(),
                static_cast<unsigned long long>(number));
  return partial_ + "/" + text.data() + ending_;
}

bool NewPath::is_part(std::string_view name) const {
  if (!name.starts_with(kPart) || !name.ends_with(ending_) ||
      name.size() < kPart.size() + kPartDigits + ending_.size()) {
    return false;
  }
  name.remove_prefix(kPart.size());
  name.remove_suffix(ending_.size());
  return std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
}

// What a killed process left. Anything else in its folder is somebody's: it stays, and removing the
// folder fails by name.
void NewPath::remove_partial() {
  switch (files_.kind(partial_)) {
    case PathKind::kAbsent:
      return;
    case PathKind::kFile:
      files_.remove(partial_);
      return;
    case PathKind::kDirectory:
      for (const std::string& name : files_.list(partial_)) {
        if (is_part(name)) {
          files_.remove(partial_ + "/" + name);
        }
      }
      files_.remove_directory(partial_);
  }
}

void NewPath::publish() {
  if (kind_ == PathKind::kDirectory) {
    files_.sync_directory(partial_);
    require_free();
    files_.rename(partial_, path_);
  } else if (!files_.publish(partial_, path_)) {
    taken(path_);
  }
  published_ = true;
  files_.sync_directory(parent_directory(path_));
}

}  // namespace longhaul::export_room
