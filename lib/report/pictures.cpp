#include "report/pictures.hpp"

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::report {
namespace {

constexpr std::uint32_t kBitmapHeader = 54;

void append(std::vector<std::uint8_t>& bytes, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

}  // namespace

std::string to_base64(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? bytes[i + j] : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      text += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63U] : '=';
    }
  }
  return text;
}

std::string bitmap_uri(const Picture& picture) {
  const std::uint32_t side = picture.side;
  const std::uint32_t padding = (4 - side * 3 % 4) % 4;
  const std::uint32_t size = side * (side * 3 + padding);
  std::vector<std::uint8_t> bytes{'B', 'M'};
  append(bytes, kBitmapHeader + size, 4);
  append(bytes, 0, 4);
  append(bytes, kBitmapHeader, 4);
  append(bytes, 40, 4);
  append(bytes, side, 4);
  append(bytes, side, 4);
  append(bytes, 1, 2);
  append(bytes, 24, 2);
  append(bytes, 0, 4);
  append(bytes, size, 4);
  for (int i = 0; i < 4; ++i) {
    append(bytes, 0, 4);
  }
  for (std::size_t y = side; y-- > 0;) {  // the lowest row comes first
    for (std::size_t x = 0; x < side; ++x) {
      const std::uint8_t* pixel = &picture.pixels[(y * side + x) * 3];
      bytes.insert(bytes.end(), {pixel[2], pixel[1], pixel[0]});
    }
    append(bytes, 0, static_cast<int>(padding));
  }
  return "data:image/bmp;base64," + to_base64(bytes);
}

// As input decides it: of a member of one the record tells the archive and the name within.
bool Pictures::is_in_archive(const NamedRecord& record) const {
  const std::string& source = record.source;
  return ends_with_ignoring_case(source, ".tar") &&
         files_.kind(absolute(source)) != PathKind::kDirectory;
}

std::string Pictures::absolute(const std::string& path) const {
  return path.starts_with('/') ? path : folder_ + "/" + path;
}

// An id is a path within the folder that was the input, a path of a list, or the name of the file
// that was the input itself.
std::string Pictures::path_of(const NamedRecord& record) const {
  const std::string name = record.source.substr(record.source.rfind('/') + 1);
  for (const std::string& path : {record.source + "/" + record.id, record.id,
                                  name == record.id ? record.source : std::string()}) {
    if (!path.empty() && files_.kind(absolute(path)) == PathKind::kFile) {
      return absolute(path);
    }
  }
  return "";
}

nlohmann::ordered_json Pictures::of(const NamedRecord& record) const {
  nlohmann::ordered_json told = {
      {"row", record.row}, {"id", record.id}, {"picture", nullptr}, {"why", ""}};
  if (!thumbnail_) {
    told["why"] = "this build decodes no images";
    return told;
  }
  std::string path;
  try {
    if (is_in_archive(record)) {
      told["why"] = "an image within an archive is not shown";
      return told;
    }
    path = path_of(record);
  } catch (const Error&) {
    // A path that cannot be looked at is one that is not found.
  }
  if (path.empty()) {
    told["why"] = "no file of its name is there";
    return told;
  }
  const Picture picture = thumbnail_(path);
  if (picture.side == 0) {
    told["why"] = picture.why;
  } else {
    told["picture"] = bitmap_uri(picture);
  }
  return told;
}

}  // namespace longhaul::report
