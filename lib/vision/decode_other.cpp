#include <algorithm>
#include <climits>
#include <cmath>
#include <cstdlib>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <vector>

#include "vision/decode.hpp"
#include "vision/tiff_header.hpp"

namespace longhaul::vision {
namespace {

struct Size {
  std::uint64_t width = 0;
  std::uint64_t height = 0;
};

// What a header says, checked as far as OpenCV would print a complaint or fill in for what is
// missing.
struct Header {
  std::optional<Defect> defect = {};
  Size size = {};
  // A number of the file to change before OpenCV sees it.
  struct Change {
    std::size_t at = 0;
    std::uint8_t value = 0;
  };
  std::optional<Change> change = {};
  bool inks = false;  // four samples are cyan, magenta, yellow, black
  bool animated = false;
};

Header unsupported(std::string what) {
  return {.defect = Defect{Reason::kUnsupported, std::move(what)}};
}

Header truncated(std::string what) {
  return {.defect = Defect{Reason::kTruncated, std::move(what)}};
}

Header damaged(std::string what) {
  return {.defect = Defect{Reason::kDamaged, std::move(what)}};
}

std::uint32_t little24(Bytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16);
}

Header webp_header(Bytes file) {
  const ByteReader reader(file, false);
  const std::uint64_t promised = std::uint64_t{reader.u32(4).value_or(0)} + 8;
  if (promised > file.size()) {
    return truncated("WebP: " + std::to_string(file.size()) + " of " + std::to_string(promised) +
                     " bytes");
  }
  if (file.size() < 30) {
    return damaged("WebP: " + std::to_string(file.size()) + " bytes");
  }
  Header header;
  switch (file[15]) {
    case 'X':  // VP8X
      header.animated = (file[20] & 2) != 0;
      header.size = {little24(file, 24) + 1, little24(file, 27) + 1};
      break;
    case 'L': {  // VP8L
      const std::uint32_t bits = *reader.u32(21);
      header.size = {(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1};
      break;
    }
    case ' ':  // VP8
      header.size = {*reader.u16(26) & 0x3FFF, *reader.u16(28) & 0x3FFF};
      break;
    default:
      return unsupported("WebP of an unknown kind");
  }
  return header;
}

Header bmp_header(Bytes file) {
  const ByteReader reader(file, false);
  const std::uint32_t kind = reader.u32(14).value_or(0);
  const bool old = kind == 12;
  if (file.size() < (old ? 26U : 54U)) {
    return truncated("BMP: " + std::to_string(file.size()) + " bytes");
  }
  const std::uint32_t bits = *reader.u16(old ? 24 : 28);
  const std::uint32_t compression = old ? 0 : *reader.u32(30);
  Header header;
  if (old) {
    header.size = {*reader.u16(18), *reader.u16(20)};
  } else {
    const auto width = static_cast<std::int32_t>(*reader.u32(18));
    const auto height = static_cast<std::int64_t>(static_cast<std::int32_t>(*reader.u32(22)));
    if (width < 0) {
      return damaged("BMP: the header says a width of " + std::to_string(width));
    }
    header.size = {static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(std::abs(height))};
  }
  constexpr std::uint32_t kMasks = 3;
  const bool plain_masks = compression == kMasks && bits == 32 && reader.u32(54) == 0xFF0000U &&
                           reader.u32(58) == 0xFF00U && reader.u32(62) == 0xFFU;
  if (compression != 0 && !plain_masks) {
    return unsupported("a compressed BMP is not decoded here");
  }
  if (bits != 1 && bits != 4 && bits != 8 && bits != 24 && bits != 32) {
    return unsupported("BMP of " + std::to_string(bits) + " bits a pixel");
  }
  const std::uint64_t row_bytes = (header.size.width * bits + 31) / 32 * 4;
  const std::uint64_t promised = *reader.u32(10) + row_bytes * header.size.height;
  // The last row need not be padded.
  if (promised > file.size() + 3) {
    header.defect = Defect{Reason::kTruncated, "BMP: " + std::to_string(file.size()) + " of " +
                                                   std::to_string(promised) + " bytes"};
  }
  return header;
}

enum Photometric : std::uint8_t { kWhiteIsZero, kBlackIsZero, kRgb, kPalette, kMask, kInks, kYcc };

// What samples mean, and how deep they are, where OpenCV and libtiff make the colours of it that
// the file means. Others come out wrong without a complaint: LAB, 16-bit samples where 0 is white.
bool is_right_in_opencv(const TiffHeader& tiff) {
  constexpr std::uint32_t kJpeg = 7;
  const bool byte = tiff.bits == 8;
  const std::uint32_t extra =
      tiff.samples - std::min(tiff.samples, tiff.photometric == kRgb    ? 3U
                                            : tiff.photometric == kInks ? 4U
                                            : tiff.photometric == kYcc  ? 3U
                                                                        : 1U);
  if (tiff.sample_format != 1 || !tiff.equal_bits || extra > 1) {
    return false;
  }
  switch (tiff.photometric) {
    case kWhiteIsZero:
      return (tiff.bits == 1 || byte) && extra == 0;
    case kBlackIsZero:
      return (tiff.bits == 1 && extra == 0) || byte || (tiff.bits == 16 && extra == 0);
    case kRgb:
      return tiff.samples >= 3 && (byte || (tiff.bits == 16 && tiff.planes == 1));
    case kPalette:
      return byte && extra == 0;
    case kInks:
      return byte && tiff.samples == 4 && tiff.compression != kJpeg;
    case kYcc:
      return byte && tiff.samples == 3 && tiff.compression == kJpeg;
    default:
      return false;
  }
}

Header tiff_header(Bytes file) {
  Header header;
  const std::optional<TiffHeader> tiff = read_tiff_header(file, header.defect);
  if (!tiff) {
    return truncated("TIFF: its directory lies beyond the end of the file");
  }
  header.size = {tiff->width, tiff->height};
  if (header.defect) {
    return header;
  }
  if (!is_right_in_opencv(*tiff)) {
    return unsupported("TIFF of " + std::to_string(tiff->samples) + " samples of " +
                       std::to_string(tiff->bits) + " bits, photometric kind " +
                       (tiff->photometric == ~0U ? "none" : std::to_string(tiff->photometric)));
  }
  constexpr std::uint32_t kPremultiplied = 1;
  constexpr std::uint32_t kAlpha = 2;
  if (tiff->extra_samples == kPremultiplied) {
    return unsupported("a TIFF with premultiplied alpha is not decoded here");
  }
  // libtiff mixes inks with other rounding than Pillow: as colours with alpha they come unmixed.
  if (tiff->photometric == kInks) {
    header.inks = true;
    header.change = {tiff->photometric_at, kRgb};
  }
  // libtiff multiplies colours by alpha, unless the file says that this was done.
  if (tiff->extra_samples == kAlpha && tiff->bits == 8) {
    header.change = {*tiff->extra_samples_at, kPremultiplied};
  }
  return header;
}

Header read_header(ImageKind kind, Bytes file) {
  switch (kind) {
    case ImageKind::kWebp:
      return webp_header(file);
    case ImageKind::kBmp:
      return bmp_header(file);
    default:
      return tiff_header(file);
  }
}

// Hands out the rows of an OpenCV image: blue, green, red, or grey; 8 or 16 bits.
template <typename Sample>
void give_rows(const cv::Mat& image, RowSink& sink) {
  const auto to_byte = [](Sample sample) {
    return static_cast<std::uint8_t>(sizeof(Sample) == 1 ? sample : sample >> 8);
  };
  const auto channels = static_cast<std::size_t>(image.channels());
  const auto columns = static_cast<std::size_t>(image.cols);
  const std::size_t red = channels >= 3 ? 2 : 0;
  const std::size_t green = channels >= 3 ? 1 : 0;
  std::vector<std::uint8_t> row(columns * 4);
  for (int y = 0; y < image.rows; ++y) {
    const auto* pixel = image.ptr<Sample>(y);
    for (std::size_t x = 0; x < columns; ++x, pixel += channels) {
      row[x * 4] = to_byte(pixel[red]);
      row[x * 4 + 1] = to_byte(pixel[green]);
      row[x * 4 + 2] = to_byte(pixel[0]);
    }
    sink.row(row.data());
  }
}

// Blue, green, red and alpha are yellow, magenta, cyan and black here.
void give_rows_of_inks(const cv::Mat& image, RowSink& sink) {
  const auto columns = static_cast<std::size_t>(image.cols);
  std::vector<std::uint8_t> row(columns * 4);
  for (int y = 0; y < image.rows; ++y) {
    const auto* pixel = image.ptr<std::uint8_t>(y);
    for (std::size_t x = 0; x < columns; ++x, pixel += 4) {
      const std::uint32_t paper = 255U - pixel[3];
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const std::uint32_t product = pixel[2 - channel] * paper + 128;
        row[x * 4 + channel] = static_cast<std::uint8_t>(paper - (((product >> 8) + product) >> 8));
      }
    }
    sink.row(row.data());
  }
}

cv::Mat opencv_decode(Bytes file) {
  try {
    const cv::Mat bytes(1, static_cast<int>(file.size()), CV_8U,
                        const_cast<std::uint8_t*>(file.data()));  // only read
    return cv::imdecode(bytes, cv::IMREAD_UNCHANGED | cv::IMREAD_IGNORE_ORIENTATION);
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) {
      throw std::bad_alloc();
    }
    return {};
  }
}

}  // namespace

std::optional<Defect> decode_other(ImageKind kind, Bytes file, const DecodeOptions& options,
                                   RowSink& sink) {
  const std::string_view name = sniff(file).name;
  const Header header = read_header(kind, file);
  if (header.defect && header.size.width == 0) {
    return header.defect;
  }
  if (std::optional<Defect> defect =
          check_size(header.size.width, header.size.height, options.max_pixels)) {
    return defect;
  }
  if (header.defect) {
    return header.defect;
  }
  if (header.animated) {
    return decode_webp_animation(file, sink);
  }
  if (file.size() > INT_MAX || header.size.width * header.size.height > 1ULL << 30) {
    return Defect{Reason::kUnsupported, std::string(name) + ": too large for OpenCV"};
  }
  std::vector<std::uint8_t> changed;
  if (header.change) {
    changed.assign(file.begin(), file.end());
    changed.at(header.change->at) = header.change->value;
    file = changed;
  }
  const cv::Mat image = opencv_decode(file);
  if (image.empty()) {
    return Defect{Reason::kDamaged, std::string(name) + ": OpenCV cannot decode it"};
  }
  const auto width = static_cast<std::uint32_t>(image.cols);
  const auto height = static_cast<std::uint32_t>(image.rows);
  const bool size_kept = std::minmax<std::uint64_t>(width, height) ==
                         std::minmax(header.size.width, header.size.height);
  if (!size_kept || (header.inks && image.type() != CV_8UC4) ||
      (image.depth() != CV_8U && image.depth() != CV_16U)) {
    return Defect{Reason::kUnsupported, std::string(name) + ": of an unusual kind"};
  }
  sink.begin({width, height}, 1);
  if (header.inks) {
    give_rows_of_inks(image, sink);
  } else if (image.depth() == CV_8U) {
    give_rows<std::uint8_t>(image, sink);
  } else {
    give_rows<std::uint16_t>(image, sink);
  }
  return std::nullopt;
}

}  // namespace longhaul::vision
