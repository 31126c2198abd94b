#include "encode/zip_directory.hpp"

#include <algorithm>
#include <fstream>
#include <string_view>

namespace longhaul::encode {
namespace {

// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.3 and 4.5.3.
constexpr std::string_view kEnd = "PK\x05\x06";
constexpr std::string_view kEnd64 = "PK\x06\x06";
constexpr std::string_view kEnd64Locator = "PK\x06\x07";
constexpr std::string_view kCentral = "PK\x01\x02";
constexpr std::string_view kLocal = "PK\x03\x04";
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kLocatorBytes = 20;
constexpr std::size_t kCentralBytes = 46;
constexpr std::size_t kLocalBytes = 30;
constexpr std::size_t kLongestComment = 0xFFFF;
constexpr std::uint64_t kGreatestDirectory = std::uint64_t{256} << 20U;
constexpr std::uint64_t kIn64 = 0xFFFFFFFF;  // the number stands in a Zip64 field

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return value;
}

std::string read_at(std::ifstream& file, std::uint64_t offset, std::uint64_t size) {
  std::string bytes(size, '\0');
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(bytes.data(), static_cast<std::streamsize>(size));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return bytes;
}

struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

std::optional<Directory> find_directory(std::ifstream& file, std::uint64_t file_size) {
  const std::uint64_t tail_size =
      std::min<std::uint64_t>(file_size, kEndBytes + kLongestComment + kLocatorBytes);
  const std::uint64_t tail_at = file_size - tail_size;
  const std::string tail = read_at(file, tail_at, tail_size);
  const std::size_t end = tail.rfind(kEnd);
  if (end == std::string::npos || tail.size() - end < kEndBytes) {
    return std::nullopt;
  }
  Directory directory{number(tail, end + 16, 4), number(tail, end + 12, 4)};
  if (end >= kLocatorBytes && tail.compare(end - kLocatorBytes, 4, kEnd64Locator) == 0) {
    const std::uint64_t at = number(tail, end - kLocatorBytes + 8, 8);
    const std::string end64 =
        at < file_size ? read_at(file, at, std::min<std::uint64_t>(kEnd64Bytes, file_size - at))
                       : std::string();
    if (end64.size() < kEnd64Bytes || !end64.starts_with(kEnd64)) {
      return std::nullopt;
    }
    directory = {number(end64, 48, 8), number(end64, 40, 8)};
  }
  const bool inside =
      directory.offset <= file_size && directory.size <= file_size - directory.offset;
  return inside && directory.size <= kGreatestDirectory ? std::optional(directory) : std::nullopt;
}

// What the 32-bit fields say stands elsewhere: 64-bit numbers in the order of the fields.
void take_zip64(std::string_view extra, std::uint64_t unpacked, ZipEntry& entry) {
  while (extra.size() >= 4) {
    const std::size_t size = number(extra, 2, 2);
    if (extra.size() < 4 + size) {
      return;
    }
    if (number(extra, 0, 2) == 1) {
      std::size_t at = unpacked == kIn64 ? 12 : 4;
      for (std::uint64_t* field : {&entry.bytes, &entry.offset}) {
        if (*field == kIn64 && at + 8 <= 4 + size) {
          *field = number(extra, at, 8);
          at += 8;
        }
      }
      return;
    }
    extra.remove_prefix(4 + size);
  }
}

}  // namespace

std::optional<std::vector<ZipEntry>> read_zip_directory(const std::filesystem::path& path) {
  std::error_code failed;
  const std::uint64_t file_size = std::filesystem::file_size(path, failed);
  std::ifstream file(path, std::ios::binary);
  const auto directory = failed || !file ? std::nullopt : find_directory(file, file_size);
  if (!directory) {
    return std::nullopt;
  }
  const std::string bytes = read_at(file, directory->offset, directory->size);
  if (bytes.size() != directory->size) {
    return std::nullopt;
  }
  std::vector<ZipEntry> entries;
  std::string_view rest = bytes;
  while (rest.size() >= kCentralBytes && rest.starts_with(kCentral)) {
    const std::size_t name_size = number(rest, 28, 2);
    const std::size_t extra_size = number(rest, 30, 2);
    const std::size_t whole = kCentralBytes + name_size + extra_size + number(rest, 32, 2);
    if (rest.size() < whole) {
      return std::nullopt;
    }
    ZipEntry entry{std::string(rest.substr(kCentralBytes, name_size)), number(rest, 42, 4),
                   number(rest, 20, 4), number(rest, 10, 2) != 0};
    take_zip64(rest.substr(kCentralBytes + name_size, extra_size), number(rest, 24, 4), entry);
    entries.push_back(std::move(entry));
    rest.remove_prefix(whole);
  }
  return entries;
}

std::string read_zip_entry(const std::filesystem::path& path, const ZipEntry& entry,
                           std::size_t limit) {
  std::ifstream file(path, std::ios::binary);
  const std::string header = file ? read_at(file, entry.offset, kLocalBytes) : std::string();
  if (entry.compressed || header.size() < kLocalBytes || !header.starts_with(kLocal)) {
    return {};
  }
  return read_at(file, entry.offset + kLocalBytes + number(header, 26, 2) + number(header, 28, 2),
                 std::min<std::uint64_t>(entry.bytes, limit));
}

}  // namespace longhaul::encode
