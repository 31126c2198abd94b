// Where the bytes of an image are: a file, or a stretch of an archive. Travels as a record's
// payload until the image is decoded.
// A value; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/record.hpp"

namespace longhaul::input {

struct ImagePlace {
  struct Stretch {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };
  std::string path;
  std::optional<Stretch> stretch;  // none: the whole file
};

// "path", or "path\0offset:size": a path holds no zero byte.
std::string to_payload(const ImagePlace& place);
ImagePlace place_from_payload(std::string_view payload);

// Of an image that was found: a hash of its path, id, size and time. Another one, where any of them
// is another.
std::optional<std::uint64_t> stamp_of(const Record& record);

// jpg jpeg png webp bmp tif tiff gif avif heic heif, in any case.
bool has_image_extension(std::string_view name);

}  // namespace longhaul::input
