#include "input/image_place.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "input/image_source.hpp"

namespace longhaul::input {

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

std::string escape_bytes(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7F || byte == '%') {
      text += '%';
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    } else {
      text += c;
    }
  }
  return text;
}

std::string unescape_bytes(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned int byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr ==
            text.data() + i + 3) {
      bytes += static_cast<char>(byte);
      i += 2;
    } else {
      bytes += text[i];
    }
  }
  return bytes;
}

std::optional<std::uint64_t> stamp_of(const Record& record) {
  if (!record.stamp) {
    return std::nullopt;
  }
  std::string text = place_from_payload(record.payload).path;
  for (const std::string& part :
       {record.id, std::to_string(record.stamp->size), std::to_string(record.stamp->seconds),
        std::to_string(record.stamp->nanoseconds)}) {
    text += '\0';
    text += part;
  }
  return hash64(text);
}

bool has_image_extension(std::string_view name) {
  constexpr std::array<std::string_view, 11> kExtensions{
      ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"};
  const std::size_t dot = name.rfind('.');
  return dot != std::string_view::npos &&
         std::find(kExtensions.begin(), kExtensions.end(), to_lower(name.substr(dot))) !=
             kExtensions.end();
}

}  // namespace longhaul::input
