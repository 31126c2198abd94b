#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <new>
#include <utility>
#include <vector>

// jpeglib.h needs FILE and size_t before it.
#include <jerror.h>
#include <jpeglib.h>

#include "vision/decode.hpp"

namespace longhaul::vision {
namespace {

// A progressive image may ask for any number of passes over all its pixels; cameras and encoders
// make about ten.
constexpr int kMaxScans = 500;

// The file in the portions that djpeg reads. The decoder looks closely only where a portion ends
// and hurries over a bad code elsewhere: with other portions other files would be found damaged.
constexpr std::size_t kPortion = 4096;

struct Source {
  jpeg_source_mgr manager;  // first: libjpeg hands this address back
  Bytes rest;
};

struct Progress {
  jpeg_progress_mgr manager;  // first: libjpeg hands this address back
  bool too_many_scans;
};

struct Errors {
  jpeg_error_mgr manager;  // first: libjpeg hands this address back
  std::jmp_buf escape;
  int code;
  char text[JMSG_LENGTH_MAX];
};

[[noreturn]] void leave(j_common_ptr info) {
  auto* errors = reinterpret_cast<Errors*>(info->err);
  errors->code = info->err->msg_code;
  info->err->format_message(info, errors->text);
  std::longjmp(errors->escape, 1);
}

// Level -1 is a warning: the data are damaged and something was made up for them.
void on_message(j_common_ptr info, int level) {
  if (level < 0) {
    leave(info);
  }
}

void on_progress(j_common_ptr info) {
  auto* progress = reinterpret_cast<Progress*>(info->progress);
  const auto* decompress = reinterpret_cast<j_decompress_ptr>(info);
  if (decompress->input_scan_number > kMaxScans) {
    progress->too_many_scans = true;
    leave(info);
  }
}

void no_output(j_common_ptr) {}

void no_action(j_decompress_ptr) {}

boolean next_portion(j_decompress_ptr info) {
  auto* source = reinterpret_cast<Source*>(info->src);
  if (source->rest.empty()) {
    WARNMS(info, JWRN_JPEG_EOF);  // does not return: a warning is an error
  }
  const Bytes portion = source->rest.first(std::min(kPortion, source->rest.size()));
  source->rest = source->rest.subspan(portion.size());
  source->manager.next_input_byte = portion.data();
  source->manager.bytes_in_buffer = portion.size();
  return TRUE;
}

void skip_bytes(j_decompress_ptr info, long count) {
  auto left = static_cast<std::size_t>(std::max(count, 0L));
  while (left > info->src->bytes_in_buffer) {
    left -= info->src->bytes_in_buffer;
    next_portion(info);
  }
  info->src->next_input_byte += left;
  info->src->bytes_in_buffer -= left;
}

// libjpeg leaves an error by longjmp, which skips destructors: each step below arms the escape
// anew and holds nothing that has one.
class Jpeg {
 public:
  Jpeg() {
    info_.err = jpeg_std_error(&errors_.manager);
    errors_.manager.error_exit = leave;
    errors_.manager.emit_message = on_message;
    errors_.manager.output_message = no_output;
    if (setjmp(errors_.escape) != 0) {
      throw std::bad_alloc();
    }
    jpeg_create_decompress(&info_);
    progress_.manager.progress_monitor = on_progress;
    info_.progress = &progress_.manager;
  }
  ~Jpeg() { jpeg_destroy_decompress(&info_); }
  Jpeg(const Jpeg&) = delete;
  Jpeg& operator=(const Jpeg&) = delete;

  bool read_header(Bytes file) {
    if (setjmp(errors_.escape) != 0) {
      return false;
    }
    source_.rest = file;
    source_.manager.init_source = no_action;
    source_.manager.fill_input_buffer = next_portion;
    source_.manager.skip_input_data = skip_bytes;
    source_.manager.resync_to_restart = jpeg_resync_to_restart;
    source_.manager.term_source = no_action;
    info_.src = &source_.manager;
    jpeg_read_header(&info_, TRUE);
    return true;
  }

  bool start(J_COLOR_SPACE output, std::uint32_t denominator) {
    if (setjmp(errors_.escape) != 0) {
      return false;
    }
    info_.out_color_space = output;
    info_.scale_num = 1;
    info_.scale_denom = denominator;
    jpeg_start_decompress(&info_);
    return true;
  }

  bool read_row(std::uint8_t* row) {
    if (setjmp(errors_.escape) != 0) {
      return false;
    }
    jpeg_read_scanlines(&info_, &row, 1);
    return true;
  }

  // Reads on to the end-of-image marker.
  bool finish() {
    if (setjmp(errors_.escape) != 0) {
      return false;
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  const jpeg_decompress_struct& info() const { return info_; }

  Defect defect() const {
    if (progress_.too_many_scans) {
      return {Reason::kUnsupported, "JPEG of more than " + std::to_string(kMaxScans) + " scans"};
    }
    switch (errors_.code) {
      case JERR_OUT_OF_MEMORY:
        throw std::bad_alloc();
      case JERR_NO_SOI:
        return {Reason::kNotAnImage, errors_.text};
      case JERR_SOF_UNSUPPORTED:
      case JERR_BAD_PRECISION:
      case JERR_COMPONENT_COUNT:
      case JERR_CONVERSION_NOTIMPL:
      case JERR_FRACT_SAMPLE_NOTIMPL:
      case JERR_CCIR601_NOTIMPL:
      case JERR_IMAGE_TOO_BIG:
      case JERR_EMPTY_IMAGE:  // one whose height is told at its end
      case JERR_NOT_COMPILED:
      case JERR_NOTIMPL:
      case JERR_ARITH_NOTIMPL:
        return {Reason::kUnsupported, std::string("JPEG: ") + errors_.text};
      case JWRN_JPEG_EOF:
        return {Reason::kTruncated, std::string("JPEG: ") + errors_.text};
      default:
        return {Reason::kDamaged, std::string("JPEG: ") + errors_.text};
    }
  }

 private:
  jpeg_decompress_struct info_{};
  Errors errors_{};
  Source source_{};
  Progress progress_{};
};

// a * b / 255, rounded.
std::uint32_t times_255th(std::uint32_t a, std::uint32_t b) {
  const std::uint32_t product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

// Four inks, stored inverted as Adobe's programs do and Pillow assumes.
void inverted_inks_to_rgb(std::uint8_t* pixels, std::uint32_t width) {
  for (std::uint32_t x = 0; x < width; ++x, pixels += 4) {
    const std::uint32_t paper = pixels[3];
    for (int channel = 0; channel < 3; ++channel) {
      const std::uint32_t ink = 255U - pixels[channel];
      pixels[channel] = static_cast<std::uint8_t>(paper - times_255th(ink, paper));
    }
  }
}

}  // namespace

std::optional<Defect> decode_jpeg(Bytes file, const DecodeOptions& options, RowSink& sink) {
  Jpeg jpeg;
  if (!jpeg.read_header(file)) {
    return jpeg.defect();
  }
  const std::uint32_t width = jpeg.info().image_width;
  const std::uint32_t height = jpeg.info().image_height;
  if (std::optional<Defect> defect = check_size(width, height, options.max_pixels)) {
    return defect;
  }
  const int components = jpeg.info().num_components;
  if (components != 1 && components != 3 && components != 4) {
    return Defect{Reason::kUnsupported,
                  "JPEG of " + std::to_string(components) + " colour components"};
  }
  const bool inks = components == 4;
  const std::uint32_t denominator = options.denominator ? options.denominator({width, height}) : 1;
  if (!jpeg.start(inks ? JCS_CMYK : JCS_EXT_RGBX, denominator)) {
    return jpeg.defect();
  }
  sink.begin({width, height}, denominator);
  const std::uint32_t columns = of_scale(width, denominator);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(columns) * 4);
  for (std::uint32_t y = 0; y < of_scale(height, denominator); ++y) {
    if (!jpeg.read_row(row.data())) {
      return jpeg.defect();
    }
    if (inks) {
      inverted_inks_to_rgb(row.data(), columns);
    }
    sink.row(row.data());
  }
  if (!jpeg.finish()) {
    return jpeg.defect();
  }
  return std::nullopt;
}

}  // namespace longhaul::vision
