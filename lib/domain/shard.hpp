// One of the parts that several processes embed an input in. A value; any thread.
#pragma once

#include <cstdint>
#include <string>

namespace longhaul {

// Shard `index` of `count`, from 1.
struct Shard {
  std::uint64_t index = 1;
  std::uint64_t count = 1;
  friend bool operator==(const Shard&, const Shard&) = default;
};

// "2/8", as --shard has it.
inline std::string to_string(const Shard& shard) {
  return std::to_string(shard.index) + "/" + std::to_string(shard.count);
}
// "shard 2 of 8".
inline std::string in_words(const Shard& shard) {
  return "shard " + std::to_string(shard.index) + " of " + std::to_string(shard.count);
}

}  // namespace longhaul
