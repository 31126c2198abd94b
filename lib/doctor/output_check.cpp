#include "doctor/output_check.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/output_reader.hpp"

namespace longhaul::doctor {
namespace {

constexpr std::uint64_t kLittleRoom = 1U << 30;

// A folder for what is tried, and nothing of it left behind.
class TrialFolder {
 public:
  TrialFolder(Files& files, std::string path) : files_(files), path_(std::move(path)) {
    try {
      files_.make_directory(path_);
    } catch (const Error&) {
      clear();  // it may have been made before what failed
      throw;
    }
  }
  TrialFolder(const TrialFolder&) = delete;
  TrialFolder& operator=(const TrialFolder&) = delete;
  ~TrialFolder() { clear(); }

  std::string in(const std::string& name) const { return store::path_in(path_, name); }
  const std::string& path() const { return path_; }

 private:
  void clear() {
    try {
      for (const std::string& name : files_.list(path_)) {
        files_.remove(in(name));
      }
      files_.remove_directory(path_);
    } catch (const Error&) {
      // What is wrong with the folder has been said, or is not what was asked.
    }
  }

  Files& files_;
  std::string path_;
};

std::string nearest_folder(Files& files, const std::string& path) {
  std::string folder = path;
  while (folder.size() > 1 && folder.ends_with('/')) {
    folder.pop_back();
  }
  while (files.kind(folder) == PathKind::kAbsent && parent_directory(folder) != folder) {
    folder = parent_directory(folder);
  }
  return folder;
}

// What is there already: Error where embed would refuse it, for a run that writes it now too.
std::string what_is_there(Files& files, const std::string& path) {
  const store::OutputReader output(files, path);
  if (const std::string writer = output.writer(); !writer.empty()) {
    throw Error(ExitCode::kUnavailable, printable(path, 400) + " is in use by " + writer,
                "wait for it to end, or name another directory");
  }
  if (!output.claims()) {
    return "";
  }
  return output.finished() ? ", a complete output" : ", an output to be continued";
}

void write_and_read(Files& files, const TrialFolder& folder) {
  const std::string name = folder.in("data");
  const std::string text(64U << 10, 'l');
  {
    const auto file = files.open(name, OpenMode::kCreate);
    file->write_at(0, bytes_of(text));
    file->sync();
  }
  files.rename(name, folder.in("renamed"));
  files.sync_directory(folder.path());
  if (read_text(files, folder.in("renamed")) != text) {
    throw Error(ExitCode::kIo,
                "what was written to " + printable(folder.path(), 400) + " does not come back",
                "look at the disk, or name an output on another one");
  }
  write_atomically(files, folder.in("report"), "first");
  write_atomically(files, folder.in("report"), "second");
}

// Of two that claim a name one must get it.
bool publishes(Files& files, const TrialFolder& folder) {
  bool first = false;
  for (const char* name : {"one", "two"}) {
    files.open(folder.in(name), OpenMode::kCreate)->write_at(0, bytes_of(name));
    const bool got = files.publish(folder.in(name), folder.in("claimed"));
    if (got == first) {
      return false;
    }
    first = first || got;
  }
  return read_text(files, folder.in("claimed")) == "one";
}

bool locks(Files& files, const TrialFolder& folder) {
  const std::string name = folder.in("lock");
  const std::unique_ptr<FileLock> lock = files.lock(name, "doctor", std::nullopt);
  return lock && files.lock(name, "another", std::nullopt) == nullptr;
}

HealthLine try_output(Files& files, const std::string& path, const std::string& tag) {
  const std::string folder = nearest_folder(files, path);
  if (files.kind(folder) != PathKind::kDirectory) {
    throw Error(ExitCode::kIo, printable(folder, 400) + " is a file, not a directory",
                "name another directory");
  }
  const std::string there =
      files.kind(path) != PathKind::kAbsent ? what_is_there(files, path) : ", to be made";
  const TrialFolder trial(files, store::path_in(folder, ".longhaul-doctor-" + tag));
  write_and_read(files, trial);
  const std::string place = printable(path, 400) + there;
  if (!publishes(files, trial)) {
    return failed("output", place + ": two files got one name",
                  "use another file system: processes of one run could not agree there");
  }
  if (!locks(files, trial)) {
    return warning("output", place + ": locks keep nobody out",
                   "see to it that only one process writes an output, or use another file system");
  }
  const std::optional<std::uint64_t> room = files.free_bytes(folder);
  const std::string said = place + ": files, fsync, rename and locks work; " +
                           (room ? format_bytes(*room) : std::string("unknown room")) + " free";
  return room && *room < kLittleRoom
             ? warning("output", said, "free some, or name an output on another disk")
             : ok("output", said);
}

}  // namespace

HealthLine check_output(Files& files, const std::string& path, const std::string& tag) {
  HealthLine line = line_of("output", [&] { return try_output(files, path, tag); });
  if (line.health == Health::kFailed && line.remedy.empty()) {
    line.remedy = "see to that, or name an output on another file system";
  }
  return line;
}

}  // namespace longhaul::doctor
