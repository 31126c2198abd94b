#include "vision/image_bytes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.hpp"
#include "base/text.hpp"
#include "vision/image_kind.hpp"

namespace longhaul::vision {
namespace {

class Descriptor {
 public:
  // A pipe of that name must not make us wait.
  explicit Descriptor(const std::string& path)
      : number_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

Defect system_defect(int error, const char* doing) {
  if (error == EMFILE || error == ENFILE || error == ENOMEM) {
    throw Error(ExitCode::kIo, std::string("cannot open an image: ") + std::strerror(error),
                "raise the limit of open files (ulimit -n)");
  }
  return {Reason::kUnreadable, std::string(doing) + ": " + std::strerror(error)};
}

// Fills `bytes` up to `end`; stops early at the end of the file.
std::optional<Defect> read_up_to(int file, std::uint64_t offset, std::size_t end,
                                 std::vector<std::uint8_t>& bytes) {
  std::size_t at = bytes.size();
  bytes.resize(end);
  while (at < end) {
    const ssize_t count =
        ::pread(file, bytes.data() + at, end - at, static_cast<off_t>(offset + at));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return system_defect(errno, "cannot be read");
    }
    if (count == 0) {
      break;
    }
    at += static_cast<std::size_t>(count);
  }
  bytes.resize(at);
  return std::nullopt;
}

}  // namespace

std::optional<Defect> read_image_bytes(const input::ImagePlace& place,
                                       std::vector<std::uint8_t>& bytes) {
  bytes.clear();
  const Descriptor file(place.path);
  if (file.number() < 0) {
    return system_defect(errno, "cannot be opened");
  }
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) {
    return system_defect(errno, "cannot be examined");
  }
  if (!S_ISREG(status.st_mode)) {
    return Defect{Reason::kUnreadable, "is not a regular file"};
  }
  const std::uint64_t offset = place.stretch ? place.stretch->offset : 0;
  const std::uint64_t size =
      place.stretch ? place.stretch->size : static_cast<std::uint64_t>(status.st_size);
  constexpr std::uint64_t kStart = 4096;
  if (auto defect = read_up_to(file.number(), offset, std::min(size, kStart), bytes)) {
    return defect;
  }
  if (sniff(bytes).kind == ImageKind::kNone) {
    return std::nullopt;  // decode() says what it is not
  }
  if (size > kMaxImageBytes) {
    return Defect{Reason::kUnsupported,
                  "has " + format_bytes(size) + ", more than " + format_bytes(kMaxImageBytes)};
  }
  if (auto defect = read_up_to(file.number(), offset, size, bytes)) {
    return defect;
  }
  if (bytes.size() < size) {
    return Defect{Reason::kTruncated, "ends after " + std::to_string(bytes.size()) + " of " +
                                          std::to_string(size) + " bytes"};
  }
  return std::nullopt;
}

}  // namespace longhaul::vision
