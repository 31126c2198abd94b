#include "input/image_place.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace longhaul {

std::string to_payload(const ImagePlace& place) {
  std::string payload = place.path;
  if (place.stretch) {
    payload += '\0';
    payload += std::to_string(place.stretch->offset) + ":" + std::to_string(place.stretch->size);
  }
  return payload;
}

ImagePlace place_from_payload(std::string_view payload) {
  const std::size_t zero = payload.find('\0');
  if (zero == std::string_view::npos) {
    return {std::string(payload), std::nullopt};
  }
  const std::string_view stretch = payload.substr(zero + 1);
  const std::size_t colon = stretch.find(':');
  return {std::string(payload.substr(0, zero)),
          ImagePlace::Stretch{parse_count(stretch.substr(0, colon)).value_or(0),
                              parse_count(stretch.substr(colon + 1)).value_or(0)}};
}

bool has_image_extension(std::string_view name) {
  constexpr std::array<std::string_view, 7> kExtensions{".jpg", ".jpeg", ".png", ".webp",
                                                        ".bmp", ".tif",  ".tiff"};
  const std::size_t dot = name.rfind('.');
  return dot != std::string_view::npos &&
         std::find(kExtensions.begin(), kExtensions.end(), to_lower(name.substr(dot))) !=
             kExtensions.end();
}

}  // namespace longhaul
