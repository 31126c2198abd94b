// The file system as the store uses it, so that tests can fail or lose power at any operation.
// Every failure is an Error(kIo) with the path and the system's reason; disk full says so.
// A File belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
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
};

enum class OpenMode { kRead, kReadWrite, kCreate };  // kCreate: read and write, made when absent

class Files {
 public:
  virtual ~Files() = default;
  virtual std::unique_ptr<File> open(const std::string& path, OpenMode mode) = 0;
  virtual bool exists(const std::string& path) = 0;
  virtual void make_directory(const std::string& path) = 0;  // with parents
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;  // an absent file is no error
  virtual void sync_directory(const std::string& path) = 0;
  virtual std::vector<std::string> list(const std::string& path) = 0;  // names, sorted bytewise
  virtual std::optional<std::uint64_t> free_bytes(const std::string& path) = 0;
};

// The real file system.
std::unique_ptr<Files> posix_files();

}  // namespace longhaul
