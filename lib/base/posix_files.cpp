#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/posix_errors.hpp"
#include "base/text.hpp"

namespace longhaul {
namespace {

template <typename Call>
auto retrying(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  int get() const { return number_; }

 private:
  int number_;
};

void sync_descriptor(int descriptor, const std::string& path) {
#if defined(__APPLE__)
  // fsync on macOS leaves data in the drive's cache.
  const int result = retrying([&] { return ::fcntl(descriptor, F_FULLFSYNC); });
#else
  const int result = retrying([&] { return ::fdatasync(descriptor); });
#endif
  if (result < 0) {
    fail("make durable", path, errno);
  }
}

class PosixFile : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t wrote = retrying([&] {
        return ::pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      });
      if (wrote < 0) {
        fail_write(descriptor_.get(), path_, errno, bytes.size());
      }
      if (wrote == 0) {
        fail_write(descriptor_.get(), path_, EIO, bytes.size());
      }
      bytes = bytes.subspan(static_cast<std::size_t>(wrote));
      offset += static_cast<std::uint64_t>(wrote);
    }
  }

  std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
    std::size_t total = 0;
    while (total < bytes.size()) {
      const ssize_t got = retrying([&] {
        return ::pread(descriptor_.get(), bytes.data() + total, bytes.size() - total,
                       static_cast<off_t>(offset + total));
      });
      if (got < 0) {
        fail("read", path_, errno);
      }
      if (got == 0) {
        break;
      }
      total += static_cast<std::size_t>(got);
    }
    return total;
  }

  std::uint64_t size() override {
    struct stat info {};
    if (::fstat(descriptor_.get(), &info) != 0) {
      fail("look at", path_, errno);
    }
    return static_cast<std::uint64_t>(info.st_size);
  }

  void truncate(std::uint64_t size) override {
    if (retrying([&] { return ::ftruncate(descriptor_.get(), static_cast<off_t>(size)); }) < 0) {
      fail("set the size of", path_, errno);
    }
  }

  void sync() override { sync_descriptor(descriptor_.get(), path_); }

  void start_writeback(std::uint64_t offset, std::uint64_t size) override {
#if defined(__linux__)
    // Without its WAIT flags this neither blocks nor consumes an error that sync() must see.
    ::sync_file_range(descriptor_.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                      SYNC_FILE_RANGE_WRITE);
#else
    static_cast<void>(offset);
    static_cast<void>(size);
#endif
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

bool same_file(int descriptor, const std::string& path) {
  struct stat ours {};
  struct stat named {};
  return ::fstat(descriptor, &ours) == 0 && ::stat(path.c_str(), &named) == 0 &&
         ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

bool same_path(const std::string& one, const std::string& other) {
  struct stat first {};
  struct stat second {};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool rename_to_free_name(const std::string& from, const std::string& to) {
#if defined(__linux__)
  const int done = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
#else
  const int done = ::renamex_np(from.c_str(), to.c_str(), RENAME_EXCL);
#endif
  if (done == 0) {
    return true;
  }
  if (errno != EEXIST) {
    fail("rename " + printable(from, 400) + " to", to, errno);
  }
  ::unlink(from.c_str());
  return false;
}

// flock: the lock belongs to the open file, so it ends with the process that holds it.
class PosixLock : public FileLock {
 public:
  PosixLock(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  ~PosixLock() override {
    // Only while it is held, so that nobody else's file is removed; who has this file open and
    // gets its lock next sees that the name is gone (same_file) and starts over.
    if (!kept_ && same_file(descriptor_.get(), path_)) {
      ::unlink(path_.c_str());
    }
  }

  int keep_across_exec() override {
    if (::fcntl(descriptor_.get(), F_SETFD, 0) < 0) {
      fail("keep the lock", path_, errno);
    }
    kept_ = true;
    return descriptor_.get();
  }

 private:
  Descriptor descriptor_;
  std::string path_;
  bool kept_ = false;
};

class PosixFiles : public Files {
 public:
  std::unique_ptr<File> open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC;
    flags |= mode == OpenMode::kRead ? O_RDONLY : O_RDWR;
    flags |= mode == OpenMode::kCreate ? O_CREAT : 0;
    return std::make_unique<PosixFile>(open_descriptor(path, flags), path);
  }

  PathKind kind(const std::string& path) override {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) {
      if (errno == ENOENT) {
        return PathKind::kAbsent;
      }
      fail("look at", path, errno);
    }
    return S_ISDIR(info.st_mode) ? PathKind::kDirectory : PathKind::kFile;
  }

  void make_directory(const std::string& path) override {
    constexpr int kAttempts = 8;  // another process may remove an empty parent between two calls
    for (int attempt = 1;; ++attempt) {
      if (::mkdir(path.c_str(), 0777) == 0) {
        sync_directory(parent_directory(path));
        return;
      }
      const int code = errno;
      const std::string parent = parent_directory(path);
      if (code == ENOENT && parent != path && attempt < kAttempts) {
        if (kind(parent) == PathKind::kAbsent) {
          make_directory(parent);
        }
        continue;
      }
      if (code != EEXIST || kind(path) != PathKind::kDirectory) {
        fail_directory(path, code);
      }
      return;
    }
  }

  void remove_directory(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) {
      fail("remove the directory", path, errno);
    }
  }

  void rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      fail("rename " + printable(from, 400) + " to", to, errno);
    }
  }

  bool exchange(const std::string& a, const std::string& b) override {
#if defined(__linux__) && defined(RENAME_EXCHANGE)
    if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) {
      return true;
    }
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) {
      fail("exchange " + printable(a, 400) + " with", b, errno);
    }
#else
    static_cast<void>(a);
    static_cast<void>(b);
#endif
    return false;
  }

  bool is_mount_point(const std::string& path) override {
    struct stat here {};
    struct stat above {};
    return ::stat(path.c_str(), &here) == 0 && ::stat((path + "/..").c_str(), &above) == 0 &&
           here.st_dev != above.st_dev;
  }

  bool publish(const std::string& from, const std::string& to) override {
    const bool linked = ::link(from.c_str(), to.c_str()) == 0;
    const int code = linked ? 0 : errno;
    if (code == EPERM || code == ENOTSUP || code == ENOSYS) {
      return rename_to_free_name(from, to);  // file systems without hard links
    }
    // A network file system that repeats a request it had done says that the name is there.
    struct stat info {};
    const bool ours = linked || (code == EEXIST && ::stat(from.c_str(), &info) == 0 &&
                                 info.st_nlink == 2 && same_path(from, to));
    if (!ours && code != EEXIST) {
      fail("link " + printable(from, 400) + " to", to, code);
    }
    remove(from);
    return ours;
  }

  void remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
      fail("remove", path, errno);
    }
  }

  void sync_directory(const std::string& path) override {
    const Descriptor directory = open_descriptor(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // Some network file systems do not offer it, and then need none.
    if (retrying([&] { return ::fsync(directory.get()); }) < 0 && errno != EINVAL &&
        errno != ENOTSUP) {
      fail("make durable", path, errno);
    }
  }

  std::vector<std::string> list(const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), &::closedir);
    if (!directory) {
      fail("list", path, errno);
    }
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) {
        break;
      }
      const std::string name = static_cast<const char*>(entry->d_name);
      if (name != "." && name != "..") {
        names.push_back(name);
      }
    }
    if (errno != 0) {
      fail("list", path, errno);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::optional<std::uint64_t> free_bytes(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) {
      return std::nullopt;
    }
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  }

  std::unique_ptr<FileLock> lock(const std::string& path, std::string_view holder,
                                 std::optional<int> adopt) override {
    for (;;) {
      Descriptor descriptor = adopt && same_file(*adopt, path)
                                  ? Descriptor(*adopt)
                                  : open_descriptor(path, O_RDWR | O_CREAT | O_CLOEXEC);
      ::fcntl(descriptor.get(), F_SETFD, FD_CLOEXEC);
      if (retrying([&] { return ::flock(descriptor.get(), LOCK_EX | LOCK_NB); }) < 0) {
        if (errno == EWOULDBLOCK) {
          return nullptr;
        }
        fail("lock", path, errno);
      }
      if (!same_file(descriptor.get(), path)) {
        continue;  // its last holder removed it between our open and our lock
      }
      if (::ftruncate(descriptor.get(), 0) != 0 ||
          ::pwrite(descriptor.get(), holder.data(), holder.size(), 0) < 0) {
        fail_write(descriptor.get(), path, errno, holder.size());
      }
      return std::make_unique<PosixLock>(std::move(descriptor), path);
    }
  }

  bool locked(const std::string& path) override {
    const int number = retrying([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); });
    if (number < 0) {
      if (errno == ENOENT) {
        return false;
      }
      fail("open", path, errno);
    }
    const Descriptor descriptor(number);
    return retrying([&] { return ::flock(number, LOCK_SH | LOCK_NB); }) < 0 && errno == EWOULDBLOCK;
  }

 private:
  static Descriptor open_descriptor(const std::string& path, int flags) {
    const int number = retrying([&] { return ::open(path.c_str(), flags, 0666); });
    if (number < 0) {
      fail("open", path, errno);
    }
    return Descriptor(number);
  }
};

}  // namespace

std::unique_ptr<Files> posix_files() {
  return std::make_unique<PosixFiles>();
}

}  // namespace longhaul
