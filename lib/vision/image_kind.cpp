#include "vision/image_kind.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace longhaul::vision {
namespace {

bool has(Bytes bytes, std::size_t at, std::string_view text) {
  return bytes.size() >= at + text.size() &&
         std::memcmp(bytes.data() + at, text.data(), text.size()) == 0;
}

struct Magic {
  std::string_view bytes;
  ImageKind kind;
  std::string_view name;
};

using namespace std::string_view_literals;
constexpr std::array kMagics{
    Magic{"\xFF\xD8\xFF"sv, ImageKind::kJpeg, "JPEG"},
    Magic{"\x89PNG\r\n\x1A\n"sv, ImageKind::kPng, "PNG"},
    Magic{"BM"sv, ImageKind::kBmp, "BMP"},
    Magic{"II*\0"sv, ImageKind::kTiff, "TIFF"},
    Magic{"MM\0*"sv, ImageKind::kTiff, "TIFF"},
    Magic{"II+\0"sv, ImageKind::kOther, "BigTIFF"},
    Magic{"MM\0+"sv, ImageKind::kOther, "BigTIFF"},
    Magic{"GIF87a"sv, ImageKind::kGif, "GIF"},
    Magic{"GIF89a"sv, ImageKind::kGif, "GIF"},
    Magic{"8BPS"sv, ImageKind::kOther, "Photoshop"},
    Magic{"\xFF\x0A"sv, ImageKind::kOther, "JPEG XL"},
    Magic{"\0\0\0\x0CJXL "sv, ImageKind::kOther, "JPEG XL"},
    Magic{"\0\0\0\x0CjP  "sv, ImageKind::kOther, "JPEG 2000"},
    Magic{"\xFF\x4F\xFF\x51"sv, ImageKind::kOther, "JPEG 2000"},
    Magic{"\0\0\x01\0"sv, ImageKind::kOther, "ICO"},
    Magic{"DDS "sv, ImageKind::kOther, "DDS"},
    Magic{"\x76\x2F\x31\x01"sv, ImageKind::kOther, "OpenEXR"},
};

std::uint32_t big16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at] << 8 | bytes[at + 1]);
}

// The EXIF block of a JPEG: an APP1 segment before the first scan.
int jpeg_orientation(Bytes file) {
  for (std::size_t at = 2; at + 4 <= file.size() && file[at] == 0xFF;) {
    const std::uint8_t marker = file[at + 1];
    if (marker == 0xFF) {
      ++at;
      continue;
    }
    if (marker == 0xDA || marker == 0xD9) {
      break;
    }
    const std::size_t size = big16(file, at + 2);
    if (size < 2 || at + 2 + size > file.size()) {
      break;
    }
    if (marker == 0xE1 && has(file, at + 4, "Exif\0"sv) && size >= 8) {
      return tiff_orientation(file.subspan(at + 10, size - 8));
    }
    at += 2 + size;
  }
  return 1;
}

int png_orientation(Bytes file) {
  const ByteReader reader(file, true);
  for (std::size_t at = 8; at + 12 <= file.size();) {
    const std::size_t size = *reader.u32(at);
    if (size > file.size() - at - 12) {
      break;
    }
    if (has(file, at + 4, "eXIf")) {
      return tiff_orientation(file.subspan(at + 8, size));
    }
    at += 12 + size;
  }
  return 1;
}

int webp_orientation(Bytes file) {
  const ByteReader reader(file, false);
  for (std::size_t at = 12; at + 8 <= file.size();) {
    const std::size_t size = *reader.u32(at + 4);
    if (size > file.size() - at - 8) {
      break;
    }
    if (has(file, at, "EXIF")) {
      Bytes exif = file.subspan(at + 8, size);
      return tiff_orientation(has(exif, 0, "Exif\0\0"sv) ? exif.subspan(6) : exif);
    }
    at += 8 + size + size % 2;
  }
  return 1;
}

// ISO media files, films too: a brand, a number, then all brands that the file is of.
Sniffed sniff_brands(Bytes start) {
  const std::size_t end =
      std::min<std::size_t>({ByteReader(start, true).u32(0).value_or(0), start.size(), 64});
  bool heif = false;
  for (std::size_t at = 8; at + 4 <= end; at += at == 8 ? 8 : 4) {
    if (has(start, at, "avif") || has(start, at, "avis")) {
      return {ImageKind::kHeif, "AVIF"};
    }
    for (const std::string_view brand : {"heic", "heix", "hevc", "heim", "heis", "mif1", "msf1"}) {
      heif = heif || has(start, at, brand);
    }
  }
  return heif ? Sniffed{ImageKind::kHeif, "HEIC"} : Sniffed{};
}

}  // namespace

std::optional<std::uint32_t> ByteReader::number(std::size_t at, std::size_t size) const {
  if (size > bytes_.size() || at > bytes_.size() - size) {
    return std::nullopt;
  }
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = value << 8 | bytes_[big_endian_ ? at + i : at + size - 1 - i];
  }
  return value;
}

Sniffed sniff(Bytes start) {
  if (has(start, 0, "RIFF") && has(start, 8, "WEBP")) {
    return {ImageKind::kWebp, "WebP"};
  }
  if (has(start, 4, "ftyp")) {
    return sniff_brands(start);
  }
  for (const Magic& magic : kMagics) {
    if (has(start, 0, magic.bytes)) {
      return {magic.kind, magic.name};
    }
  }
  return {};
}

int tiff_orientation(Bytes tiff) {
  if (!has(tiff, 0, "II*\0"sv) && !has(tiff, 0, "MM\0*"sv)) {
    return 1;
  }
  const ByteReader reader(tiff, tiff[0] == 'M');
  const std::optional<std::uint32_t> directory = reader.u32(4);
  const std::optional<std::uint32_t> entries = directory ? reader.u16(*directory) : std::nullopt;
  for (std::uint32_t i = 0; i < entries.value_or(0); ++i) {
    const std::size_t at = std::size_t{*directory} + 2 + std::size_t{i} * 12;
    constexpr std::uint32_t kOrientationTag = 0x0112;
    constexpr std::uint32_t kShort = 3;
    if (reader.u16(at) == kOrientationTag) {
      const std::uint32_t value = reader.u16(at + 2) == kShort ? reader.u16(at + 8).value_or(1) : 1;
      return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
    }
  }
  return 1;
}

int exif_orientation(ImageKind kind, Bytes file) {
  switch (kind) {
    case ImageKind::kJpeg:
      return jpeg_orientation(file);
    case ImageKind::kPng:
      return png_orientation(file);
    case ImageKind::kWebp:
      return webp_orientation(file);
    case ImageKind::kTiff:
      return tiff_orientation(file);
    default:
      return 1;
  }
}

}  // namespace longhaul::vision
