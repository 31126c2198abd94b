#include <webp/demux.h>

#include <memory>

#include "vision/decode.hpp"

namespace longhaul::vision {
namespace {

struct Delete {
  void operator()(WebPAnimDecoder* decoder) const { WebPAnimDecoderDelete(decoder); }
};

}  // namespace

std::optional<Defect> decode_webp_animation(Bytes file, RowSink& sink) {
  WebPAnimDecoderOptions options;
  WebPAnimDecoderOptionsInit(&options);
  options.color_mode = MODE_RGBA;
  const WebPData data{file.data(), file.size()};
  const std::unique_ptr<WebPAnimDecoder, Delete> decoder(WebPAnimDecoderNew(&data, &options));
  WebPAnimInfo info;
  std::uint8_t* canvas = nullptr;  // the decoder's
  int time = 0;
  if (!decoder || WebPAnimDecoderGetInfo(decoder.get(), &info) == 0 ||
      WebPAnimDecoderGetNext(decoder.get(), &canvas, &time) == 0) {
    return Defect{Reason::kDamaged, "WebP: its first frame cannot be decoded"};
  }
  sink.begin({info.canvas_width, info.canvas_height}, 1);
  for (std::size_t y = 0; y < info.canvas_height; ++y) {
    sink.row(canvas + y * info.canvas_width * 4);
  }
  return std::nullopt;
}

}  // namespace longhaul::vision
