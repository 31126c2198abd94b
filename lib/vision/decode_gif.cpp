#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <vector>

#include "vision/decode.hpp"

namespace longhaul::vision {
namespace {

struct Source {
  Bytes rest;
  bool ended = false;
};

int read_bytes(GifFileType* gif, GifByteType* out, int size) {
  auto* source = static_cast<Source*>(gif->UserData);
  const std::size_t count = std::min(source->rest.size(), static_cast<std::size_t>(size));
  source->ended = source->ended || count < static_cast<std::size_t>(size);
  std::memcpy(out, source->rest.data(), count);
  source->rest = source->rest.subspan(count);
  return static_cast<int>(count);
}

// A frame's rows as they are stored when it is interlaced.
std::vector<std::size_t> interlaced_rows(std::size_t height) {
  constexpr std::array<std::size_t, 4> kStart{0, 4, 2, 1};
  constexpr std::array<std::size_t, 4> kStep{8, 8, 4, 2};
  std::vector<std::size_t> rows;
  for (std::size_t pass = 0; pass < kStart.size(); ++pass) {
    for (std::size_t y = kStart[pass]; y < height; y += kStep[pass]) {
      rows.push_back(y);
    }
  }
  return rows;
}

class Gif {
 public:
  explicit Gif(Bytes file) : source_{file} {
    gif_ = DGifOpen(&source_, read_bytes, &error_);
    if (gif_ == nullptr && error_ == D_GIF_ERR_NOT_ENOUGH_MEM) {
      throw std::bad_alloc();
    }
  }
  ~Gif() {
    if (gif_ != nullptr) {
      DGifCloseFile(gif_, nullptr);
    }
  }
  Gif(const Gif&) = delete;
  Gif& operator=(const Gif&) = delete;

  // Goes to the first frame: its place on the canvas, its colours, its transparent one.
  bool find_frame() {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    while (gif_ != nullptr && DGifGetRecordType(gif_, &record) == GIF_OK) {
      if (record == IMAGE_DESC_RECORD_TYPE) {
        return DGifGetImageDesc(gif_) == GIF_OK;
      }
      if (record != EXTENSION_RECORD_TYPE || !pass_extension()) {
        break;
      }
    }
    return false;
  }

  bool read_frame(std::uint8_t* canvas, std::size_t stride) {
    const GifImageDesc& frame = gif_->Image;
    const auto height = static_cast<std::size_t>(frame.Height);
    const std::vector<std::size_t> order =
        frame.Interlace ? interlaced_rows(height) : std::vector<std::size_t>();
    for (std::size_t i = 0; i < height; ++i) {
      const std::size_t y = static_cast<std::size_t>(frame.Top) + (order.empty() ? i : order[i]);
      if (DGifGetLine(gif_, canvas + y * stride + frame.Left, frame.Width) != GIF_OK) {
        return false;
      }
    }
    return true;
  }

  // Passes over further frames, so that a file that is cut short in them is seen to be.
  bool read_to_end() {
    GifRecordType record = UNDEFINED_RECORD_TYPE;
    while (DGifGetRecordType(gif_, &record) == GIF_OK) {
      if (record == TERMINATE_RECORD_TYPE) {
        return true;
      }
      if (!(record == EXTENSION_RECORD_TYPE ? pass_extension()
                                            : record == IMAGE_DESC_RECORD_TYPE && pass_frame())) {
        break;
      }
    }
    return false;
  }

  const GifFileType& info() const { return *gif_; }
  std::optional<int> transparent() const { return transparent_; }

  // Bytes are missing, or they are wrong.
  Defect defect() const {
    const int code = gif_ != nullptr ? gif_->Error : error_;
    if (code == D_GIF_ERR_NOT_ENOUGH_MEM) {
      throw std::bad_alloc();
    }
    if (source_.ended) {
      return {Reason::kTruncated, "GIF: the file ends early"};
    }
    const char* text = code == 0 ? nullptr : GifErrorString(code);
    return {Reason::kDamaged, std::string("GIF: ") + (text == nullptr ? "no picture in it" : text)};
  }

 private:
  bool pass_extension() {
    int code = 0;
    GifByteType* block = nullptr;
    int result = DGifGetExtension(gif_, &code, &block);
    bool first = true;
    for (; result == GIF_OK && block != nullptr; result = DGifGetExtensionNext(gif_, &block)) {
      constexpr GifByteType kTransparent = 1;
      if (first && code == GRAPHICS_EXT_FUNC_CODE && block[0] >= 4 &&
          (block[1] & kTransparent) != 0) {
        transparent_ = block[4];
      }
      first = false;
    }
    return result == GIF_OK;
  }

  bool pass_frame() {
    int code_size = 0;
    GifByteType* block = nullptr;
    int result = DGifGetImageDesc(gif_);
    if (result == GIF_OK) {
      result = DGifGetCode(gif_, &code_size, &block);
    }
    while (result == GIF_OK && block != nullptr) {
      result = DGifGetCodeNext(gif_, &block);
    }
    return result == GIF_OK;
  }

  Source source_;
  GifFileType* gif_ = nullptr;
  int error_ = 0;
  std::optional<int> transparent_;
};

using Palette = std::array<std::array<std::uint8_t, 3>, 256>;

Palette palette_of(const GifFileType& gif) {
  const ColorMapObject* map = gif.Image.ColorMap != nullptr ? gif.Image.ColorMap : gif.SColorMap;
  Palette palette{};
  // Without colours, and where they are a ramp of greys, a number is a level of grey.
  bool ramp = true;
  for (int i = 0; map != nullptr && i < map->ColorCount; ++i) {
    const GifColorType& colour = map->Colors[i];
    palette[static_cast<std::size_t>(i)] = {colour.Red, colour.Green, colour.Blue};
    ramp = ramp && colour.Red == i && colour.Green == i && colour.Blue == i;
  }
  for (std::size_t i = 0; ramp && i < palette.size(); ++i) {
    palette[i].fill(static_cast<std::uint8_t>(i));
  }
  return palette;
}

}  // namespace

std::optional<Defect> decode_gif(Bytes file, const DecodeOptions& options, RowSink& sink) {
  Gif gif(file);
  if (!gif.find_frame()) {
    return gif.defect();
  }
  const GifImageDesc frame = gif.info().Image;
  if (frame.Width <= 0 || frame.Height <= 0) {
    return Defect{Reason::kDamaged, "GIF: its first frame has no pixels"};
  }
  // A frame that does not fit widens the canvas.
  const auto width =
      static_cast<std::uint32_t>(std::max(gif.info().SWidth, frame.Left + frame.Width));
  const auto height =
      static_cast<std::uint32_t>(std::max(gif.info().SHeight, frame.Top + frame.Height));
  if (std::optional<Defect> defect = check_size(width, height, options.max_pixels)) {
    return defect;
  }
  const Palette palette = palette_of(gif.info());
  std::vector<std::uint8_t> canvas(std::size_t{width} * height,
                                   static_cast<std::uint8_t>(gif.transparent().value_or(0)));
  if (!gif.read_frame(canvas.data(), width) || !gif.read_to_end()) {
    return gif.defect();
  }
  sink.begin({width, height}, 1);
  std::vector<std::uint8_t> row(std::size_t{width} * 4);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      std::memcpy(&row[x * 4], palette[canvas[y * width + x]].data(), 3);
    }
    sink.row(row.data());
  }
  return std::nullopt;
}

}  // namespace longhaul::vision
