#include "score/npz.hpp"

#include <boost/crc.hpp>
#include <cstddef>
#include <cstdint>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::score {
namespace {

// APPNOTE.TXT 6.3.10, sections 4.3.7 (local header), 4.3.12 (central header), 4.3.16 (end).
constexpr std::uint32_t kLocalMark = 0x04034b50;
constexpr std::uint32_t kCentralMark = 0x02014b50;
constexpr std::uint32_t kEndMark = 0x06054b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kCentralSize = 46;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kLongestComment = 0xFFFF;
constexpr std::uint32_t kVersion = 20;
constexpr std::uint32_t kFirstDay = 0x21;  // 1 January 1980: the same entries give the same bytes
constexpr std::uint32_t kStored = 0;

std::uint32_t crc32(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

[[noreturn]] void refuse(const std::string& where, const std::string& why,
                         const std::string& remedy = "write it with numpy.savez") {
  throw Error(ExitCode::kBadData, where + " is not a readable .npz archive: " + why, remedy);
}

class Reader {
 public:
  Reader(std::string_view bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  std::uint32_t number(std::size_t at, std::size_t size) const {
    const std::string_view text = slice(at, size);
    std::uint32_t value = 0;
    for (std::size_t i = size; i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(text[i]);
    }
    return value;
  }

  std::string_view slice(std::size_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) {
      refuse(where_, "it is cut short or damaged");
    }
    return bytes_.substr(at, size);
  }

  void expect(std::size_t at, std::uint32_t mark) const {
    if (number(at, 4) != mark) {
      refuse(where_, "it is damaged at byte " + std::to_string(at));
    }
  }

  // The end record, looked for from the back: a comment may follow it.
  std::size_t find_end() const {
    for (std::size_t back = kEndSize; back <= kEndSize + kLongestComment && back <= bytes_.size();
         ++back) {
      if (number(bytes_.size() - back, 4) == kEndMark) {
        return bytes_.size() - back;
      }
    }
    refuse(where_, "it has no zip directory");
  }

 private:
  std::string_view bytes_;
  const std::string& where_;
};

void append(std::string& out, std::uint32_t value, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i, value >>= 8) {
    out += static_cast<char>(value & 0xFF);
  }
}

// The fields that local and central headers share, from "version needed" to "name length".
void append_common(std::string& out, std::string_view name, std::string_view data) {
  append(out, kVersion, 2);
  append(out, 0, 2);  // flags
  append(out, kStored, 2);
  append(out, 0, 2);  // time of day
  append(out, kFirstDay, 2);
  append(out, crc32(data), 4);
  append(out, static_cast<std::uint32_t>(data.size()), 4);
  append(out, static_cast<std::uint32_t>(data.size()), 4);
  append(out, static_cast<std::uint32_t>(name.size()), 2);
  append(out, 0, 2);  // extra field
}

}  // namespace

ZipEntries read_stored_zip(std::string_view bytes, const std::string& where) {
  const Reader reader(bytes, where);
  const std::size_t end = reader.find_end();
  const std::uint32_t count = reader.number(end + 10, 2);
  std::size_t at = reader.number(end + 16, 4);
  ZipEntries entries;
  for (std::uint32_t i = 0; i < count; ++i) {
    reader.expect(at, kCentralMark);
    const std::uint32_t method = reader.number(at + 10, 2);
    const std::uint32_t crc = reader.number(at + 16, 4);
    const std::uint32_t size = reader.number(at + 24, 4);
    const std::uint32_t name_size = reader.number(at + 28, 2);
    const std::uint32_t extra_size = reader.number(at + 30, 2);
    const std::uint32_t comment_size = reader.number(at + 32, 2);
    const std::uint32_t local = reader.number(at + 42, 4);
    const std::string name(reader.slice(at + kCentralSize, name_size));
    if (method != kStored) {
      refuse(where, "entry " + printable(name) + " is compressed",
             "save it with numpy.savez, not savez_compressed");
    }
    // A local header has its own name and extra field; numpy's carries 64-bit sizes there.
    reader.expect(local, kLocalMark);
    const std::size_t data_at =
        local + kLocalSize + reader.number(local + 26, 2) + reader.number(local + 28, 2);
    std::string data(reader.slice(data_at, size));
    if (crc32(data) != crc) {
      refuse(where, "entry " + printable(name) + " fails its checksum", "fetch the file again");
    }
    entries.insert_or_assign(name, std::move(data));
    at += kCentralSize + name_size + extra_size + comment_size;
  }
  return entries;
}

std::string write_stored_zip(const ZipEntries& entries) {
  std::string out;
  std::string directory;
  for (const auto& [name, data] : entries) {
    append(directory, kCentralMark, 4);
    append(directory, kVersion, 2);  // made by
    append_common(directory, name, data);
    append(directory, 0, 2);  // comment
    append(directory, 0, 2);  // disk
    append(directory, 0, 2);  // internal attributes
    append(directory, 0, 4);  // external attributes
    append(directory, static_cast<std::uint32_t>(out.size()), 4);
    directory += name;

    append(out, kLocalMark, 4);
    append_common(out, name, data);
    out += name;
    out += data;
  }
  const auto directory_at = static_cast<std::uint32_t>(out.size());
  const auto count = static_cast<std::uint32_t>(entries.size());
  out += directory;
  append(out, kEndMark, 4);
  append(out, 0, 4);  // disks
  append(out, count, 2);
  append(out, count, 2);
  append(out, static_cast<std::uint32_t>(directory.size()), 4);
  append(out, directory_at, 4);
  append(out, 0, 2);  // comment
  return out;
}

}  // namespace longhaul::score
