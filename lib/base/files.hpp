// The file system as the store uses it, so that tests can fail or lose power at any operation.
// Every failure is an Error(kIo) with the path and the system's reason; a full disk is told with
// needed and free bytes. A File belongs to one thread at a time; Files may be used from any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

class File {
 public:
  virtual ~File() = default;
  virtual void write_at(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
  // Fills `bytes` as far as the file goes; returns how much.
  virtual std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) = 0;
  virtual std::uint64_t size() = 0;
  virtual void truncate(std::uint64_t size) = 0;
  // Data and size on stable storage (fdatasync; F_FULLFSYNC on macOS). Never call again after it
  // failed: the system may have dropped what it could not write.
  virtual void sync() = 0;
  // A hint: begin to write this range to the disk, so that the next sync() has less to do.
  virtual void start_writeback(std::uint64_t, std::uint64_t) {}
};

enum class OpenMode { kRead, kReadWrite, kCreate };  // kCreate: read and write, made when absent
enum class PathKind { kAbsent, kFile, kDirectory };

// Held until destroyed, or until the process ends in any way. Destroying it removes the lock file.
class FileLock {
 public:
  virtual ~FileLock() = default;
  // Lets the lock survive an exec; the new program passes the number to Files::lock as `adopt`.
  virtual int keep_across_exec() = 0;
};

class Files {
 public:
  virtual ~Files() = default;
  virtual std::unique_ptr<File> open(const std::string& path, OpenMode mode) = 0;
  virtual PathKind kind(const std::string& path) = 0;          // of what a symbolic link points to
  virtual void make_directory(const std::string& path) = 0;    // with parents
  virtual void remove_directory(const std::string& path) = 0;  // an empty one
  virtual void rename(const std::string& from, const std::string& to) = 0;
  // Gives the file at `from` the name `to` where there is none yet, and tells whether it did; of
  // several processes that try, on one machine or many, one succeeds. `from` is gone afterwards.
  virtual bool publish(const std::string& from, const std::string& to) = 0;
  // Gives two directories, which lie beside one another, each other's name, at one moment. False,
  // and nothing is changed, where the file system cannot.
  virtual bool exchange(const std::string&, const std::string&) { return false; }
  // Whether a file system begins at this directory, so that it cannot be renamed.
  virtual bool is_mount_point(const std::string&) { return false; }
  virtual void remove(const std::string& path) = 0;  // an absent file is no error
  virtual void sync_directory(const std::string& path) = 0;
  virtual std::vector<std::string> list(const std::string& path) = 0;  // names, sorted bytewise
  virtual std::optional<std::uint64_t> free_bytes(const std::string& path) = 0;

  // Takes the lock file at `path`, which then says `holder`; nothing when another process has it.
  // `adopt` is a descriptor that already holds it (FileLock::keep_across_exec).
  virtual std::unique_ptr<FileLock> lock(const std::string& path, std::string_view holder,
                                         std::optional<int> adopt) = 0;
  virtual bool locked(const std::string& path) = 0;  // by another process, at this moment

  bool exists(const std::string& path) { return kind(path) != PathKind::kAbsent; }
};

// The real file system.
std::unique_ptr<Files> posix_files();

std::string read_text(Files& files, const std::string& path);
// A reader of `path` sees the old text or the new one, also after a power cut. Uses `path`.tmp.
void write_atomically(Files& files, const std::string& path, std::string_view text);
std::string parent_directory(const std::string& path);  // "." when it names none

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace longhaul
