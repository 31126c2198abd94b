#include "vision/decode.hpp"

#include <cstring>
#include <vector>

namespace longhaul::vision {
namespace {

// Keeps a whole image, to hand it on turned.
class WholeImage : public RowSink {
 public:
  void begin(const Extent& image, std::uint32_t denominator) override {
    image_ = image;
    denominator_ = denominator;
    width_ = of_scale(image.width, denominator);
    height_ = of_scale(image.height, denominator);
    pixels_.clear();
    pixels_.reserve(static_cast<std::size_t>(width_) * height_ * 4);
  }

  void row(const std::uint8_t* rgbx) override {
    pixels_.insert(pixels_.end(), rgbx, rgbx + static_cast<std::size_t>(width_) * 4);
  }

  // EXIF orientation: 2 mirrored, 3 turned by 180 degrees, 4 upside down, 5 to 8 the same of an
  // image whose rows are the columns of the stored one.
  void hand_on(int orientation, RowSink& sink) const {
    const bool transposed = orientation >= 5;
    const bool flip_x =
        orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool flip_y =
        orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    const std::uint32_t columns = transposed ? height_ : width_;
    const std::uint32_t rows = transposed ? width_ : height_;
    sink.begin(transposed ? Extent{image_.height, image_.width} : image_, denominator_);
    std::vector<std::uint8_t> line(static_cast<std::size_t>(columns) * 4);
    for (std::size_t y = 0; y < rows; ++y) {
      for (std::size_t x = 0; x < columns; ++x) {
        // Of the stored image: flips are along its own axes.
        std::size_t column = transposed ? y : x;
        std::size_t stored_row = transposed ? x : y;
        column = flip_x ? width_ - 1 - column : column;
        stored_row = flip_y ? height_ - 1 - stored_row : stored_row;
        std::memcpy(&line[x * 4], &pixels_[(stored_row * width_ + column) * 4], 4);
      }
      sink.row(line.data());
    }
  }

 private:
  std::uint32_t width_ = 0;
  std::uint32_t height_ = 0;
  Extent image_;
  std::uint32_t denominator_ = 1;
  std::vector<std::uint8_t> pixels_;
};

std::optional<Defect> decode_stored(ImageKind kind, Bytes file, const DecodeOptions& options,
                                    RowSink& sink) {
  switch (kind) {
    case ImageKind::kJpeg:
      return decode_jpeg(file, options, sink);
    case ImageKind::kPng:
      return decode_png(file, options, sink);
    case ImageKind::kGif:
      return decode_gif(file, options, sink);
    case ImageKind::kHeif:
      return decode_heif(file, options, sink);
    default:
      return decode_other(kind, file, options, sink);
  }
}

}  // namespace

std::optional<Defect> check_size(std::uint64_t width, std::uint64_t height,
                                 std::uint64_t max_pixels) {
  const std::string size = std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (width == 0 || height == 0) {
    return Defect{Reason::kDamaged, "the header says " + size};
  }
  if (width * height > max_pixels) {
    return Defect{Reason::kTooManyPixels, size + ", more than " + std::to_string(max_pixels)};
  }
  if (width > kMaxSide || height > kMaxSide) {
    return Defect{Reason::kUnsupported,
                  size + ": a side is longer than " + std::to_string(kMaxSide)};
  }
  return std::nullopt;
}

std::optional<Defect> decode(Bytes file, const DecodeOptions& options, RowSink& sink) {
  if (file.empty()) {
    return Defect{Reason::kEmpty, "the file has no bytes"};
  }
  const Sniffed sniffed = sniff(file);
  if (sniffed.kind == ImageKind::kNone) {
    return Defect{Reason::kNotAnImage, "no image format begins as this file does"};
  }
  if (sniffed.kind == ImageKind::kOther) {
    return Defect{Reason::kUnsupported, std::string(sniffed.name) + " is not decoded here"};
  }
  const int orientation = options.exif == Exif::kApply && sniffed.kind != ImageKind::kTiff
                              ? exif_orientation(sniffed.kind, file)
                              : 1;
  if (orientation == 1) {
    return decode_stored(sniffed.kind, file, options, sink);
  }
  WholeImage whole;
  std::optional<Defect> defect = decode_stored(sniffed.kind, file, options, whole);
  if (!defect) {
    whole.hand_on(orientation, sink);
  }
  return defect;
}

}  // namespace longhaul::vision
