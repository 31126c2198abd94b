// The first directory of a TIFF file: nothing behind a whole file changes what it says.
#include <vector>

#include "fuzz/property.hpp"
#include "vision/tiff_header.hpp"

using namespace longhaul;
using namespace longhaul::vision;

namespace {

// Whether what `a` says is said by `b`. 0 may also stand for a value that is not in the file.
bool kept(const TiffHeader& a, const TiffHeader& b) {
  const auto one = [](std::uint64_t x, std::uint64_t y) { return x == 0 || x == y; };
  return one(a.width, b.width) && one(a.height, b.height) && one(a.bits, b.bits) &&
         one(a.samples, b.samples) && one(a.compression, b.compression) &&
         one(a.sample_format, b.sample_format) && one(a.photometric, b.photometric) &&
         a.photometric_at == b.photometric_at && one(a.planes, b.planes) &&
         (!a.equal_bits || b.equal_bits) && one(a.extra_samples, b.extra_samples) &&
         a.extra_samples_at == b.extra_samples_at;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Bytes file(data, size);
  const int orientation = tiff_orientation(file);
  fuzz::require(orientation >= 1 && orientation <= 8, "an orientation is one of eight");
  std::optional<Defect> defect;
  const std::optional<TiffHeader> header = read_tiff_header(file, defect);
  if (!header) {
    fuzz::require(!defect, "a defect is of a directory that is there");
    return 0;
  }
  // The decoder writes there.
  fuzz::require(
      header->photometric == 0 || header->photometric == ~0U || header->photometric_at < size,
      "the place of the photometric value is in the file");
  fuzz::require(header->extra_samples == 0 || header->extra_samples_at.value_or(size) < size,
                "the place of the alpha kind is in the file");
  std::vector<std::uint8_t> longer(file.begin(), file.end());
  longer.insert(longer.end(), 64, 0);
  std::optional<Defect> later;
  const std::optional<TiffHeader> again = read_tiff_header(longer, later);
  fuzz::require(again.has_value() && (defect || !later), "a longer file is no worse");
  fuzz::require(kept(*header, *again), "bytes behind the file change nothing");
  return 0;
}
