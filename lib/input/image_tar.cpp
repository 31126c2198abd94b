#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/image_place.hpp"
#include "input/image_source.hpp"

namespace longhaul {
namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::uint64_t kLongestName = 1 << 20;
using Block = std::array<unsigned char, kBlock>;

std::string_view field(const Block& block, std::size_t at, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(block.data()) + at, size);
  return text.substr(0, text.find('\0'));
}

// Octal digits, or, with the first bit set, a binary number.
std::optional<std::uint64_t> number(const Block& block, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  if ((block[at] & 0x80) != 0) {
    for (std::size_t i = at + 1; i < at + size; ++i) {
      if (value >> 55 != 0) {
        return std::nullopt;
      }
      value = value << 8 | block[i];
    }
    return value;
  }
  for (const char digit : field(block, at, size)) {
    if (digit == ' ') {
      continue;
    }
    if (digit < '0' || digit > '7' || value >> 60 != 0) {
      return std::nullopt;
    }
    value = value * 8 + static_cast<std::uint64_t>(digit - '0');
  }
  return value;
}

// The sum of the header's bytes, its own field taken as spaces.
bool sum_fits(const Block& block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    sum += i >= 148 && i < 156 ? std::uint64_t{' '} : block[i];
  }
  return number(block, 148, 8) == sum;
}

bool all_zero(const Block& block) {
  return block == Block{};
}

// Records of a pax header: "27 path=some/where.jpg\n", the number counting all of it.
std::optional<std::string> pax_value(std::string_view text, std::string_view key) {
  std::optional<std::string> found;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::optional<std::uint64_t> size = parse_count(text.substr(0, space));
    if (space == std::string_view::npos || !size || *size <= space + 1 || *size > text.size()) {
      break;
    }
    const std::string_view record = text.substr(space + 1, *size - space - 2);
    const std::size_t equals = record.find('=');
    if (equals != std::string_view::npos && record.substr(0, equals) == key) {
      found = std::string(record.substr(equals + 1));
    }
    text.remove_prefix(*size);
  }
  return found;
}

class ImageTar : public ImageSource {
 public:
  explicit ImageTar(const std::string& path)
      : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat status {};
    if (file_ < 0 || ::fstat(file_, &status) != 0) {
      const int error = errno;
      close();
      throw Error(ExitCode::kIo,
                  "cannot open " + printable(path, 400) + ": " + std::strerror(error),
                  "check the path and its permissions");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    Block block{};
    if (!S_ISREG(status.st_mode) || !read(0, block) || (!all_zero(block) && !sum_fits(block))) {
      close();
      throw Error(ExitCode::kBadData, printable(path, 400) + " is not a tar archive",
                  "give an uncompressed .tar file, or unpack it and give the folder");
    }
  }
  ~ImageTar() override { close(); }
  ImageTar(const ImageTar&) = delete;
  ImageTar& operator=(const ImageTar&) = delete;

  bool next(Record& record) override {
    while (!ended_) {
      Member member;
      if (!read_member(member, record)) {
        return record.defect.has_value();
      }
      if (has_image_extension(member.name) && fill(member, record)) {
        return true;
      }
    }
    return false;
  }

  std::string cursor() const override { return std::to_string(ended_ ? size_ : at_); }

  bool seek(std::string_view cursor) override {
    const std::optional<std::uint64_t> at = parse_count(cursor);
    if (!at) {
      return false;
    }
    at_ = *at;
    ended_ = at_ >= size_;
    return true;
  }

 private:
  struct Member {
    std::string name;
    char type = '0';
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t modified = 0;
  };

  void close() {
    if (file_ >= 0) {
      ::close(file_);
      file_ = -1;
    }
  }

  bool read(std::uint64_t at, std::span<unsigned char> into) const {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t count =
          ::pread(file_, into.data() + done, into.size() - done, static_cast<off_t>(at + done));
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count < 0) {
        throw Error(ExitCode::kIo,
                    "cannot read " + printable(path_, 400) + " at byte " + std::to_string(at) +
                        ": " + std::strerror(errno),
                    "check the disk, then run the same command again");
      }
      if (count == 0) {
        return false;
      }
      done += static_cast<std::size_t>(count);
    }
    return true;
  }

  // The archive is read no further.
  bool broken(Record& record, Reason reason, const std::string& what) {
    record.id = "byte " + std::to_string(at_);
    record.payload = path_;
    record.byte = at_;
    record.defect = Defect{reason, what + "; the archive is read no further"};
    ended_ = true;
    return false;
  }

  // Goes to the next member with all the headers it may have. False at the end, or with a defect.
  bool read_member(Member& member, Record& record) {
    std::optional<std::string> long_name;
    std::optional<std::uint64_t> long_size;
    std::uint64_t at = at_;
    for (;;) {
      Block block{};
      if (at >= size_) {
        ended_ = true;
        return false;
      }
      if (!read(at, block)) {
        return broken(record, Reason::kTruncated, "the archive ends inside a header");
      }
      if (all_zero(block)) {
        ended_ = true;
        return false;
      }
      const std::optional<std::uint64_t> stored = number(block, 124, 12);
      if (!sum_fits(block) || !stored) {
        return broken(record, Reason::kBadRecord, "no member's header is here");
      }
      const char type = static_cast<char>(block[156]);
      const bool extends = type == 'x' || type == 'g' || type == 'L' || type == 'K';
      const std::uint64_t size = extends ? *stored : long_size.value_or(*stored);
      const std::uint64_t data = at + kBlock;
      // Beyond the end of the file is dealt with by whoever wants the bytes.
      at = size > size_ ? size_ : data + (size + kBlock - 1) / kBlock * kBlock;
      if (!extends) {
        member.type = type;
        member.name = long_name ? std::move(*long_name) : short_name(block);
        member.offset = data;
        member.size = size;
        member.modified = number(block, 136, 12).value_or(0);
        if (member.name.starts_with("./")) {
          member.name.erase(0, 2);
        }
        at_ = at;
        return true;
      }
      if (type == 'g' || type == 'K') {
        continue;
      }
      std::string text(size > kLongestName ? 0 : size, '\0');
      if (size > kLongestName ||
          !read(data, {reinterpret_cast<unsigned char*>(text.data()), text.size()})) {
        return broken(record, Reason::kBadRecord, "a member's name is damaged");
      }
      if (type == 'L') {
        long_name = text.substr(0, text.find('\0'));
      } else {
        if (auto path = pax_value(text, "path")) {
          long_name = std::move(path);
        }
        if (const auto pax_size = pax_value(text, "size")) {
          long_size = parse_count(*pax_size);
        }
      }
    }
  }

  static std::string short_name(const Block& block) {
    const std::string_view prefix =
        field(block, 257, 6) == "ustar" ? field(block, 345, 155) : std::string_view();
    const std::string_view name = field(block, 0, 100);
    return prefix.empty() ? std::string(name) : std::string(prefix) + "/" + std::string(name);
  }

  // True when the member makes a record.
  bool fill(const Member& member, Record& record) {
    const bool plain = member.type == '0' || member.type == '\0' || member.type == '7';
    if (member.type == '5') {
      return false;
    }
    record.id = member.name;
    record.byte = member.offset;
    record.payload = to_payload({path_, ImagePlace::Stretch{member.offset, member.size}});
    record.identity = file_identity(member.size, static_cast<std::int64_t>(member.modified), 0);
    if (!plain) {
      record.defect = Defect{Reason::kUnsupported, "is a link or sparse in the archive"};
    } else if (member.size > size_ || member.offset > size_ - member.size) {
      record.defect = Defect{Reason::kTruncated, "the archive ends inside it"};
      ended_ = true;
    }
    return true;
  }

  std::string path_;
  int file_;
  std::uint64_t size_ = 0;
  std::uint64_t at_ = 0;  // where the next member's headers begin
  bool ended_ = false;
};

}  // namespace

std::unique_ptr<ImageSource> open_image_tar(const std::string& path) {
  return std::make_unique<ImageTar>(path);
}

}  // namespace longhaul
