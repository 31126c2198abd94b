#include "input/tar_archive.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::input {
namespace {

constexpr std::uint64_t kLongestName = 1 << 20;

std::string_view field(std::span<const unsigned char> block, std::size_t at, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(block.data()) + at, size);
  return text.substr(0, text.find('\0'));
}

// Octal digits, or, with the first bit set, a binary number.
std::optional<std::uint64_t> number(std::span<const unsigned char> block, std::size_t at,
                                    std::size_t size) {
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
bool sum_fits(std::span<const unsigned char> block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    sum += i >= 148 && i < 156 ? std::uint64_t{' '} : block[i];
  }
  return number(block, 148, 8) == sum;
}

bool all_zero(std::span<const unsigned char> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](unsigned char byte) { return byte == 0; });
}

// Records of a pax header: "27 path=some/where.jpg\n", the number counting all of it.
template <typename Take>
void read_pax(std::string_view text, Take&& take) {
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::optional<std::uint64_t> size = parse_count(text.substr(0, space));
    if (space == std::string_view::npos || !size || *size <= space + 1 || *size > text.size()) {
      break;
    }
    const std::string_view record = text.substr(space + 1, *size - space - 2);
    const std::size_t equals = record.find('=');
    if (equals != std::string_view::npos) {
      take(record.substr(0, equals), record.substr(equals + 1));
    }
    text.remove_prefix(*size);
  }
}

std::string short_name(std::span<const unsigned char> block) {
  const std::string_view prefix =
      field(block, 257, 6) == "ustar" ? field(block, 345, 155) : std::string_view();
  const std::string_view name = field(block, 0, 100);
  return prefix.empty() ? std::string(name) : std::string(prefix) + "/" + std::string(name);
}

std::string without_dot(std::string name) {
  return name.starts_with("./") ? name.substr(2) : name;
}

TarMember::Kind kind_of(char type, const std::string& name) {
  switch (type) {
    case '0':
    case '\0':
    case '7':
      // Before POSIX a folder was a file with such a name.
      return name.ends_with('/') ? TarMember::Kind::kFolder : TarMember::Kind::kFile;
    case '1':
      return TarMember::Kind::kHardLink;
    case '5':
    case 'D':
      return TarMember::Kind::kFolder;
    case 'S':
      return TarMember::Kind::kSparse;
    case 'V':
      return TarMember::Kind::kLabel;
    default:
      return TarMember::Kind::kOther;
  }
}

}  // namespace

// What the headers before a member's own say of it.
struct TarArchive::Extensions {
  std::optional<std::string> name;
  std::optional<std::string> target;
  std::optional<std::uint64_t> size;
  bool sparse = false;
};

TarArchive::TarArchive(const std::string& path)
    : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat status {};
  if (file_ < 0 || ::fstat(file_, &status) != 0) {
    const int error = errno;
    close();
    throw Error(ExitCode::kIo, "cannot open " + printable(path, 400) + ": " + std::strerror(error),
                "check the path and its permissions");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
  Block block{};
  if (!S_ISREG(status.st_mode) || read(0, block) < kBlock ||
      (!all_zero(block) && !sum_fits(block))) {
    close();
    throw Error(ExitCode::kBadData, printable(path, 400) + " is not a tar archive",
                "give an uncompressed .tar file, or unpack it and give the folder");
  }
}

TarArchive::~TarArchive() {
  close();
}

void TarArchive::close() {
  if (file_ >= 0) {
    ::close(file_);
    file_ = -1;
  }
}

// Less than asked for where the file ends.
std::size_t TarArchive::read(std::uint64_t at, std::span<unsigned char> into) const {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t count =
        ::pread(file_, into.data() + done, into.size() - done, static_cast<off_t>(at + done));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw Error(ExitCode::kIo,
                  "cannot read " + printable(path_, 400) + " at byte " + std::to_string(at) + ": " +
                      std::strerror(errno),
                  "check the disk, then run the same command again");
    }
    if (count == 0) {
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  return done;
}

// The first block at or behind `at` that is not all zeros, or the end of the file.
std::uint64_t TarArchive::skip_zeros(std::uint64_t at) const {
  std::array<unsigned char, 64 * kBlock> bytes{};
  while (at < size_) {
    const std::size_t count = read(at, bytes);
    for (std::size_t begin = 0; begin < count; begin += kBlock) {
      if (!all_zero(
              std::span(bytes).subspan(begin, std::min<std::size_t>(kBlock, count - begin)))) {
        return at + begin;
      }
    }
    if (count < bytes.size()) {
      break;
    }
    at += count;
  }
  return size_;
}

TarArchive::Found TarArchive::find(std::uint64_t at) const {
  Block block{};
  if (at >= size_) {
    return {};
  }
  if (read(at, block) < kBlock || all_zero(block)) {
    const std::uint64_t behind = skip_zeros(at);
    return behind >= size_ ? Found{} : find_header(behind, behind > at);
  }
  return find_header(at, false);
}

TarArchive::Found TarArchive::find_header(const std::uint64_t begin, bool after_end) const {
  const auto broken = [](std::uint64_t at, Reason reason, const char* what) {
    return Found{std::nullopt, Defect{reason, what}, at};
  };
  Extensions extensions;
  for (std::uint64_t at = begin;;) {
    Block block{};
    const std::size_t count = at < size_ ? read(at, block) : 0;
    if (count < kBlock) {
      return broken(at, Reason::kTruncated,
                    after_end ? "there is less than a header behind the archive's end mark"
                              : "the archive ends inside a header");
    }
    const std::optional<std::uint64_t> stored = number(block, 124, 12);
    if (!sum_fits(block) || !stored) {
      return broken(at, Reason::kBadRecord,
                    after_end && at == begin ? "what follows the archive's end mark is no member"
                                             : "no member's header is here");
    }
    const char type = static_cast<char>(block[156]);
    const bool extends = type == 'x' || type == 'g' || type == 'L' || type == 'K';
    const std::uint64_t size = extends ? *stored : extensions.size.value_or(*stored);
    const auto end_of = [&](std::uint64_t data) {
      return size > size_ || data > size_ ? size_ : data + (size + kBlock - 1) / kBlock * kBlock;
    };
    if (extends) {
      if (size > size_ || at + kBlock > size_ - size) {
        return broken(at, Reason::kTruncated, "the archive ends inside a header");
      }
      if (!extend(block, at + kBlock, size, extensions)) {
        return broken(at, Reason::kBadRecord, "a member's name is damaged");
      }
      at = end_of(at + kBlock);
      continue;
    }
    TarMember member;
    member.name = without_dot(extensions.name ? std::move(*extensions.name) : short_name(block));
    member.target =
        without_dot(extensions.target ? *extensions.target : std::string(field(block, 157, 100)));
    member.kind = kind_of(type, member.name);
    if (extensions.sparse && member.kind == TarMember::Kind::kFile) {
      member.kind = TarMember::Kind::kSparse;
    }
    // Links, folders, devices and pipes have no bytes, whatever size they say.
    const bool has_bytes = type < '1' || type > '6';
    member.header = begin;
    member.offset = type == 'S' ? sparse_data(block, at + kBlock) : at + kBlock;
    member.size = has_bytes ? size : 0;
    member.next = has_bytes ? end_of(member.offset) : member.offset;
    member.cut = member.size > size_ || member.offset > size_ - member.size;
    member.modified = number(block, 136, 12).value_or(0);
    return {std::move(member), std::nullopt, 0};
  }
}

// Reads one of the headers before a member's own. False where it is damaged.
bool TarArchive::extend(const Block& block, std::uint64_t data, std::uint64_t size,
                        Extensions& extensions) const {
  const char type = static_cast<char>(block[156]);
  if (type == 'g') {
    return true;  // of the whole archive: nothing that names or places a member
  }
  if (size > kLongestName) {
    return false;
  }
  std::string text(size, '\0');
  if (read(data, {reinterpret_cast<unsigned char*>(text.data()), text.size()}) < size) {
    return false;
  }
  if (type == 'L') {
    extensions.name = text.substr(0, text.find('\0'));
  } else if (type == 'K') {
    extensions.target = text.substr(0, text.find('\0'));
  } else {
    std::optional<std::string> sparse_name;
    read_pax(text, [&](std::string_view key, std::string_view value) {
      if (key == "path") {
        extensions.name = value;
      } else if (key == "linkpath") {
        extensions.target = value;
      } else if (key == "size") {
        extensions.size = parse_count(value);
      } else if (key.starts_with("GNU.sparse.")) {
        extensions.sparse = true;
        if (key == "GNU.sparse.name") {
          sparse_name = value;
        }
      }
    });
    if (sparse_name) {
      extensions.name = std::move(sparse_name);  // `path` is a made-up one
    }
  }
  return true;
}

// A sparse member's map may go on in blocks of its own.
std::uint64_t TarArchive::sparse_data(const Block& block, std::uint64_t data) const {
  bool more = block[482] != 0;
  for (Block map{}; more && read(data, map) == kBlock; data += kBlock) {
    more = map[504] != 0;
  }
  return data;
}

}  // namespace longhaul::input
