// Turns the bytes of an image file into rows of RGB, equal to Pillow's convert("RGB"): exactly for
// all but JPEG, whose last bit may differ between versions of libjpeg-turbo, and AVIF, whose
// colours are spread over pixels another way; of 16-bit samples the upper 8 bits are taken, where
// Pillow clips grey ones to white. Of several frames the first. Alpha is dropped, embedded colour
// profiles are ignored. A file that is damaged anywhere is refused as a whole. Functions keep no
// state and may run on any thread. What is wrong with a file is a Defect; only running out of
// memory is an exception.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "domain/outcome.hpp"
#include "vision/image_kind.hpp"
#include "vision/row_sink.hpp"

namespace longhaul::vision {

enum class Exif { kIgnore, kApply };

struct DecodeOptions {
  std::uint64_t max_pixels = 1ULL << 28;
  Exif exif = Exif::kIgnore;
  // What a JPEG of this size is divided by while it is decoded: 1, 2, 4 or 8. Empty: 1.
  std::function<std::uint32_t(const Extent& image)> denominator;
};

// Nothing when `sink` got the whole image. TIFF is turned the right way up in either case, as
// Pillow does on loading.
std::optional<Defect> decode(Bytes file, const DecodeOptions& options, RowSink& sink);

// No side of an image is longer than this, whatever --max-pixels says: a line of it is held.
constexpr std::uint32_t kMaxSide = 1'000'000;

// The reject for a size that the header promises, if it is one.
std::optional<Defect> check_size(std::uint64_t width, std::uint64_t height,
                                 std::uint64_t max_pixels);

// The decoders by kind. The first two hand out rows as they are decoded; exif is decode()'s
// business.
std::optional<Defect> decode_jpeg(Bytes file, const DecodeOptions& options, RowSink& sink);
std::optional<Defect> decode_png(Bytes file, const DecodeOptions& options, RowSink& sink);
// The first frame. HEIC and AVIF are unsupported where libheif was not there to build with.
std::optional<Defect> decode_gif(Bytes file, const DecodeOptions& options, RowSink& sink);
std::optional<Defect> decode_heif(Bytes file, const DecodeOptions& options, RowSink& sink);
std::optional<Defect> decode_webp_animation(Bytes file, RowSink& sink);  // its header is checked
// WebP, BMP and TIFF, by OpenCV.
std::optional<Defect> decode_other(ImageKind kind, Bytes file, const DecodeOptions& options,
                                   RowSink& sink);

}  // namespace longhaul::vision
