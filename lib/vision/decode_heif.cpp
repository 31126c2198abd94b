#include <libheif/heif.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "vision/decode.hpp"

namespace longhaul::vision {
namespace {

template <auto Free>
struct FreeBy {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Context = std::unique_ptr<heif_context, FreeBy<heif_context_free>>;
using Handle = std::unique_ptr<heif_image_handle, FreeBy<heif_image_handle_release>>;
using Image = std::unique_ptr<heif_image, FreeBy<heif_image_release>>;
using Options = std::unique_ptr<heif_decoding_options, FreeBy<heif_decoding_options_free>>;

// libheif puts a cause on a line of its own.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

Defect defect_of(std::string_view name, const heif_error& error) {
  const std::string text = std::string(name) + ": " + one_line(error.message);
  switch (error.code) {
    case heif_error_Memory_allocation_error:
      if (error.subcode != heif_suberror_Security_limit_exceeded) {
        throw std::bad_alloc();
      }
      return {Reason::kUnsupported, text};
    case heif_error_Unsupported_filetype:
    case heif_error_Unsupported_feature:
    case heif_error_Plugin_loading_error:
      return {Reason::kUnsupported, text};
    default:
      return {error.subcode == heif_suberror_End_of_data ? Reason::kTruncated : Reason::kDamaged,
              text};
  }
}

// The file is a row of boxes, each with its size: is the last one whole?
bool boxes_are_whole(Bytes file) {
  const ByteReader reader(file, true);
  for (std::uint64_t at = 0; at < file.size();) {
    const auto size = reader.u32(at);
    if (!size || !reader.u32(at + 4)) {
      return false;
    }
    std::uint64_t box = *size;
    if (box == 0) {
      return true;  // up to the end
    }
    if (box == 1) {
      const auto high = reader.u32(at + 8);
      const auto low = reader.u32(at + 12);
      if (!high || !low) {
        return false;
      }
      box = std::uint64_t{*high} << 32 | *low;
    }
    if (box < 8 || box > file.size() - at) {
      return box < 8;  // no box at all: libheif says what it is
    }
    at += box;
  }
  return true;
}

}  // namespace

std::optional<Defect> decode_heif(Bytes file, const DecodeOptions& options, RowSink& sink) {
  const std::string_view name = sniff(file).name;
  if (!boxes_are_whole(file)) {
    return Defect{Reason::kTruncated, std::string(name) + ": the file ends early"};
  }
  const Context context(heif_context_alloc());
  heif_context_set_max_decoding_threads(context.get(), 0);  // the workers are threads enough
  heif_error error =
      heif_context_read_from_memory_without_copy(context.get(), file.data(), file.size(), nullptr);
  heif_image_handle* found = nullptr;
  if (error.code == heif_error_Ok) {
    error = heif_context_get_primary_image_handle(context.get(), &found);
  }
  if (error.code != heif_error_Ok) {
    return defect_of(name, error);
  }
  const Handle handle(found);
  const auto side = [](int value) { return static_cast<std::uint64_t>(value < 0 ? 0 : value); };
  if (std::optional<Defect> defect =
          check_size(side(heif_image_handle_get_width(handle.get())),
                     side(heif_image_handle_get_height(handle.get())), options.max_pixels)) {
    return defect;
  }
  const Options how(heif_decoding_options_alloc());
  how->strict_decoding = 1;
  how->convert_hdr_to_8bit = 1;
  // Turning is a part of how HEIC is decoded; Pillow tells it of AVIF as an EXIF orientation.
  how->ignore_transformations = name == "AVIF" && options.exif == Exif::kIgnore ? 1 : 0;
  heif_image* decoded = nullptr;
  error = heif_decode_image(handle.get(), &decoded, heif_colorspace_RGB,
                            heif_chroma_interleaved_RGB, how.get());
  if (error.code != heif_error_Ok) {
    return defect_of(name, error);
  }
  const Image image(decoded);
  int stride = 0;
  const std::uint8_t* pixels =
      heif_image_get_plane_readonly(decoded, heif_channel_interleaved, &stride);
  const auto width =
      static_cast<std::uint32_t>(heif_image_get_width(decoded, heif_channel_interleaved));
  const auto height =
      static_cast<std::uint32_t>(heif_image_get_height(decoded, heif_channel_interleaved));
  if (pixels == nullptr || width == 0 || height == 0) {
    return Defect{Reason::kUnsupported, std::string(name) + ": of an unusual kind"};
  }
  sink.begin({width, height}, 1);
  std::vector<std::uint8_t> row(std::size_t{width} * 4);
  for (std::size_t y = 0; y < height; ++y) {
    const std::uint8_t* pixel = pixels + y * static_cast<std::size_t>(stride);
    for (std::size_t x = 0; x < width; ++x) {
      std::memcpy(&row[x * 4], pixel + x * 3, 3);
    }
    sink.row(row.data());
  }
  return std::nullopt;
}

}  // namespace longhaul::vision
