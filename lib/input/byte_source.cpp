#include "input/byte_source.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::input {
namespace {

constexpr int kStopCheckMilliseconds = 200;

std::string reason(int error) {
  return std::generic_category().message(error);
}

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::int64_t>(time.tv_nsec);
}

// Where a file may be a pipe or a device, opening it must not wait for somebody at its other end:
// a wait that hears of a stop comes before each read.
int open_for_reading(const std::string& path) {
  struct stat status {};
  const bool stream = ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
  return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | (stream ? O_NONBLOCK : 0));
}

SourceIdentity identity_of(const std::string& path, const struct stat& status) {
  SourceIdentity identity;
  identity.path = path;
  identity.inode = static_cast<std::uint64_t>(status.st_ino);
  identity.regular = path != "-" && S_ISREG(status.st_mode);
  if (identity.regular) {
    identity.size = static_cast<std::uint64_t>(status.st_size);
#ifdef __APPLE__
    identity.modified_ns = nanoseconds(status.st_mtimespec);
    identity.changed_ns = nanoseconds(status.st_ctimespec);
#else
    identity.modified_ns = nanoseconds(status.st_mtim);
    identity.changed_ns = nanoseconds(status.st_ctim);
#endif
  }
  return identity;
}

class FileSource : public ByteSource {
 public:
  FileSource(const std::string& path, std::function<bool()> stop)
      : stop_(std::move(stop)), owned_(path != "-") {
    descriptor_ = owned_ ? open_for_reading(path) : STDIN_FILENO;
    struct stat status {};
    if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) {
      const int error = errno;
      close();
      throw Error(ExitCode::kIo, "cannot open " + printable(path, 400) + ": " + reason(error),
                  "check the path and its permissions");
    }
    if (S_ISDIR(status.st_mode)) {
      close();
      throw Error(ExitCode::kIo, printable(path, 400) + " is a folder, not a file",
                  "name its files, or the folder itself as an input");
    }
    identity_ = identity_of(path, status);
#ifdef POSIX_FADV_SEQUENTIAL
    if (identity_.regular) {
      ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
#endif
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  ~FileSource() override {
    close();
  }

  std::size_t read(std::span<char> into) override {
    for (;;) {
      wait_for_stream();
      const ssize_t got = ::read(descriptor_, into.data(), into.size());
      if (got > 0) {
        offset_ += static_cast<std::uint64_t>(got);
        return static_cast<std::size_t>(got);
      }
      if (got == 0) {
        check_unchanged();
        return 0;
      }
      if (errno != EINTR && errno != EAGAIN) {
        throw Error(ExitCode::kIo,
                    "reading " + name() + " failed at byte " + std::to_string(offset_) + ": " +
                        reason(errno),
                    "check the disk or the network it lies on; the same command continues");
      }
    }
  }

  bool seek(std::uint64_t offset) override {
    if (!identity_.regular || offset > identity_.size ||
        ::lseek(descriptor_, static_cast<off_t>(offset), SEEK_SET) < 0) {
      return false;
    }
    offset_ = offset;
    return true;
  }

  std::uint64_t stored_bytes_read() const override {
    return offset_;
  }

 private:
  std::string name() const {
    return owned_ ? printable(identity_.path, 400) : std::string("standard input");
  }

  // A signal may come to another thread than this one, so a stream is waited for in short turns.
  // Nothing but a word of poll() that there is something leads to read(), which would wait on its
  // own: a signal that interrupts poll() is none.
  void wait_for_stream() const {
    if (identity_.regular) {
      return;
    }
    for (;;) {
      if (stop_ && stop_()) {
        throw Error(ExitCode::kInterrupted, "stopped while waiting for " + name(),
                    "run the same command again and feed it the same input from its beginning");
      }
      pollfd waiting{descriptor_, POLLIN, 0};
      const int ready = ::poll(&waiting, 1, kStopCheckMilliseconds);
      if (ready > 0 || (ready < 0 && errno != EINTR && errno != EAGAIN)) {
        return;  // data, the end or an error: read() tells which
      }
    }
  }

  void check_unchanged() const {
    if (!identity_.regular) {
      return;
    }
    const std::string remedy =
        "do not write to an input while it is read; the same command checks what it has";
    if (offset_ != identity_.size) {
      throw Error(ExitCode::kIo,
                  name() + " changed while it was read: it ended at byte " +
                      std::to_string(offset_) + " but had " + std::to_string(identity_.size) +
                      " bytes when it was opened",
                  remedy);
    }
    struct stat status {};
    if (::fstat(descriptor_, &status) != 0 ||
        identity_of(identity_.path, status).modified_ns != identity_.modified_ns) {
      throw Error(ExitCode::kIo,
                  name() + " changed while it was read: it was written to before byte " +
                      std::to_string(offset_) + " was reached",
                  remedy);
    }
  }

  void close() {
    if (owned_ && descriptor_ >= 0) {
      ::close(descriptor_);
    }
    descriptor_ = -1;
  }

  const std::function<bool()> stop_;
  bool owned_;
  int descriptor_ = -1;
  SourceIdentity identity_;
  std::uint64_t offset_ = 0;
};

}  // namespace

std::unique_ptr<ByteSource> open_byte_source(const std::string& path, std::function<bool()> stop) {
  return std::make_unique<FileSource>(path, std::move(stop));
}

SourceIdentity identify_source(const std::string& path) {
  struct stat status {};
  const int failed = path == "-" ? ::fstat(STDIN_FILENO, &status) : ::stat(path.c_str(), &status);
  if (failed != 0) {
    throw Error(ExitCode::kIo, "cannot open " + printable(path, 400) + ": " + reason(errno),
                "check the path and its permissions");
  }
  return identity_of(path, status);
}

}  // namespace longhaul::input
