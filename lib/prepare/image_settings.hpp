// What the program and the vision module agree on. The module is loaded only for image runs, since
// the libraries it needs are many; it offers one function that makes a Preprocessor.
// Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "encode/card.hpp"
#include "prepare/preprocessor.hpp"

namespace longhaul::prepare {

struct ImageSettings {
  encode::ImageSpec image;
  std::uint32_t workers = 1;  // images decoded at the same time
  std::uint64_t max_pixels = 1ULL << 28;
  bool fast_decode = false;  // JPEG at the least scale that the resize leaves pixels to work on
  bool likeness = false;     // compute Prepared::likeness, also as the record's last kept value
  // Says which row an image repeats, if any; asked once for each decoded image, in order, by the
  // thread that assembles. None: nothing is looked for.
  std::function<std::optional<std::uint64_t>(const Prepared& prepared)> duplicate_of;
  std::function<double()> seconds;  // a clock; none: times are not measured
};

// The kept column that Prepared::likeness is written to, as 16 hexadecimal digits.
constexpr const char* kLikenessColumn = "likeness";

// Program and module are built together; two builds that differ in these types must not meet.
constexpr std::uint64_t kImageModuleAbi =
    ((sizeof(ImageSettings) * 1009 + sizeof(Prepared)) * 1009 + sizeof(encode::HostBatch)) * 1009 +
    sizeof(Record) + 3;

// The module's entry point. Returns nothing when `abi` is not the module's own; throws Error
// (kBadData) for a card it cannot serve. The caller owns what it returns, and keeps the module
// loaded for as long.
constexpr const char* kMakeImagePreprocessor = "longhaul_make_image_preprocessor";
using MakeImagePreprocessor = Preprocessor*(std::uint64_t abi, const ImageSettings* settings);

}  // namespace longhaul::prepare
