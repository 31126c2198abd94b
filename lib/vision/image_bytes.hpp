// Reads the bytes of one image, all of them or none. Looks at the first ones before it reads the
// rest, so that a film named .jpg costs nothing.
// Keeps no state; any thread. What is wrong with a file is a Defect; a machine out of file handles
// is an Error(kIo).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "domain/outcome.hpp"
#include "input/image_place.hpp"

namespace longhaul::vision {

// Larger files are not images that are decoded here.
constexpr std::uint64_t kMaxImageBytes = 1ULL << 30;

std::optional<Defect> read_image_bytes(const input::ImagePlace& place,
                                       std::vector<std::uint8_t>& bytes);

}  // namespace longhaul::vision
