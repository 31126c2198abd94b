// The first directory of a TIFF file, as far as it decides whether and how the file is decoded.
// Pure functions; any bytes are safe; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "domain/outcome.hpp"
#include "vision/image_kind.hpp"

namespace longhaul::vision {

struct TiffHeader {
  std::uint64_t width = 0;
  std::uint64_t height = 0;
  std::uint32_t bits = 1;           // per sample
  std::uint32_t samples = 1;        // per pixel
  std::uint32_t compression = 1;    // 1: none
  std::uint32_t sample_format = 1;  // 1: unsigned
  std::uint32_t photometric = ~0U;  // what the samples mean; none is said
  std::size_t photometric_at = 0;   // where its lowest byte stands in the file
  std::uint32_t planes = 1;         // 2: each sample has a plane of its own
  bool equal_bits = true;           // all samples have as many bits
  std::uint32_t extra_samples = 0;  // 1: premultiplied alpha, 2: alpha
  // Where the lowest byte of the alpha kind stands in the file, if it has one.
  std::optional<std::size_t> extra_samples_at;
};

// Nothing when the directory is not there. `defect` is set when the pixels' places, or values
// of the directory, lie beyond the end of the file.
std::optional<TiffHeader> read_tiff_header(Bytes file, std::optional<Defect>& defect);

}  // namespace longhaul::vision
