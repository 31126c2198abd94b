// Small pictures of images of the input, as the page holds them. The image's bytes are decoded by
// whoever is handed in: this room sees no codec. One thread; nothing here throws for a bad image.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "report/record_facts.hpp"

namespace longhaul::report {

// A square picture: side x side pixels of red, green and blue, row after row; or why there is none.
struct Picture {
  std::uint32_t side = 0;
  std::vector<std::uint8_t> pixels;
  std::string why;
};

// Decodes the image at a path. Does not throw for one that is bad or gone.
using Thumbnail = std::function<Picture(const std::string& path)>;

// Bytes in base64, as data: URIs have them.
std::string to_base64(std::span<const std::uint8_t> bytes);

// A data: URI of a Windows bitmap, which any browser shows and needs no codec to write.
std::string bitmap_uri(const Picture& picture);

class Pictures {
 public:
  // `folder` is where the run worked: relative paths of its input begin there.
  Pictures(Files& files, Thumbnail thumbnail, std::string folder)
      : files_(files), thumbnail_(std::move(thumbnail)), folder_(std::move(folder)) {}

  // {"row", "id", "picture": URI or null, "why": text where there is none}.
  nlohmann::ordered_json of(const NamedRecord& record) const;

 private:
  bool is_in_archive(const NamedRecord& record) const;
  std::string absolute(const std::string& path) const;
  std::string path_of(const NamedRecord& record) const;  // empty where no file is found

  Files& files_;
  Thumbnail thumbnail_;
  std::string folder_;
};

}  // namespace longhaul::report
