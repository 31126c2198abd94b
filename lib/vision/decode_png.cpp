#include <png.h>

#include <csetjmp>
#include <cstring>
#include <new>
#include <vector>

#include "vision/decode.hpp"

namespace longhaul::vision {
namespace {

struct Source {
  Bytes file;
  std::size_t at;
  bool ended;
  char text[128];
};

[[noreturn]] void leave(png_structp png, png_const_charp message) {
  auto* source = static_cast<Source*>(png_get_error_ptr(png));
  std::strncpy(source->text, message, sizeof source->text - 1);
  png_longjmp(png, 1);
}

// Warnings are about what surrounds the pixels: colour profiles, texts, chunk order.
void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep out, png_size_t size) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (size > source->file.size() - source->at) {
    source->ended = true;
    png_error(png, "the file ends early");
  }
  std::memcpy(out, source->file.data() + source->at, size);
  source->at += size;
}

// libpng leaves an error by longjmp, which skips destructors: each step below arms the escape
// anew and holds nothing that has one.
class Png {
 public:
  explicit Png(Bytes file) : source_{file, 0, false, {}} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, leave, on_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(png_, &source_, read_bytes);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // check_size() has its own
  }
  ~Png() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  bool read_header() {
    if (setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    png_read_info(png_, info_);
    return true;
  }

  // Everything becomes 8-bit RGB.
  bool start() {
    if (setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    const int colour = png_get_color_type(png_, info_);
    png_set_strip_16(png_);
    if (colour == PNG_COLOR_TYPE_PALETTE) {
      png_set_palette_to_rgb(png_);
    }
    if (colour == PNG_COLOR_TYPE_GRAY || colour == PNG_COLOR_TYPE_GRAY_ALPHA) {
      png_set_expand_gray_1_2_4_to_8(png_);
      png_set_gray_to_rgb(png_);
    }
    png_set_strip_alpha(png_);
    passes_ = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    row_bytes_ = png_get_rowbytes(png_, info_);
    return true;
  }

  bool read_row(std::uint8_t* row) {
    if (setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    png_read_row(png_, row, nullptr);
    return true;
  }

  bool finish() {
    if (setjmp(png_jmpbuf(png_)) != 0) {
      return false;
    }
    png_read_end(png_, nullptr);
    return true;
  }

  std::uint32_t width() const { return png_get_image_width(png_, info_); }
  std::uint32_t height() const { return png_get_image_height(png_, info_); }
  int passes() const { return passes_; }
  std::size_t row_bytes() const { return row_bytes_; }
  Defect defect() const {
    return {source_.ended ? Reason::kTruncated : Reason::kDamaged,
            std::string("PNG: ") + source_.text};
  }

 private:
  Source source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  int passes_ = 1;
  std::size_t row_bytes_ = 0;
};

}  // namespace

std::optional<Defect> decode_png(Bytes file, const DecodeOptions& options, RowSink& sink) {
  Png png(file);
  if (!png.read_header()) {
    return png.defect();
  }
  const std::uint32_t width = png.width();
  const std::uint32_t height = png.height();
  if (std::optional<Defect> defect = check_size(width, height, options.max_pixels)) {
    return defect;
  }
  const std::size_t row_bytes = static_cast<std::size_t>(width) * 3;
  if (!png.start()) {
    return png.defect();
  }
  if (png.row_bytes() != row_bytes) {
    return Defect{Reason::kUnsupported, "PNG: of an unknown colour type"};
  }
  // An interlaced image is complete only after its last pass.
  const bool whole = png.passes() > 1;
  std::vector<std::uint8_t> rows(whole ? row_bytes * height : row_bytes);
  std::vector<std::uint8_t> rgbx(static_cast<std::size_t>(width) * 4);
  sink.begin({width, height}, 1);
  for (int pass = 0; pass < png.passes(); ++pass) {
    for (std::size_t y = 0; y < height; ++y) {
      std::uint8_t* row = rows.data() + (whole ? y * row_bytes : 0);
      if (!png.read_row(row)) {
        return png.defect();
      }
      if (pass + 1 == png.passes()) {
        for (std::size_t x = 0; x < width; ++x) {
          std::memcpy(&rgbx[x * 4], row + x * 3, 3);
        }
        sink.row(rgbx.data());
      }
    }
  }
  if (!png.finish()) {
    return png.defect();
  }
  return std::nullopt;
}

}  // namespace longhaul::vision
