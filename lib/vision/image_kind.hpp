// What a file's first bytes say: which kind of image it is, how large, and which way up. Reads
// headers only, so that a bomb is seen before anything of its size is allocated.
// Pure functions; any bytes are safe; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace longhaul::vision {

using Bytes = std::span<const std::uint8_t>;

enum class ImageKind { kJpeg, kPng, kWebp, kBmp, kTiff, kGif, kHeif, kOther, kNone };

struct Sniffed {
  ImageKind kind = ImageKind::kNone;
  std::string_view name;  // "JPEG"; of a kind we cannot decode too: "JPEG XL"
};

// The first 64 bytes are enough.
Sniffed sniff(Bytes start);

// Numbers in an image's byte order, with every access checked.
class ByteReader {
 public:
  ByteReader(Bytes bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}
  std::optional<std::uint32_t> u16(std::size_t at) const { return number(at, 2); }
  std::optional<std::uint32_t> u32(std::size_t at) const { return number(at, 4); }
  Bytes bytes() const { return bytes_; }

 private:
  std::optional<std::uint32_t> number(std::size_t at, std::size_t size) const;

  Bytes bytes_;
  bool big_endian_;
};

// EXIF orientation 1 to 8 of a TIFF structure (an EXIF block without its "Exif\0\0"), 1 when it has
// none that makes sense.
int tiff_orientation(Bytes tiff);
// The same of a whole file of that kind.
int exif_orientation(ImageKind kind, Bytes file);

}  // namespace longhaul::vision
