#include "run/repeated_ids.hpp"

#include <algorithm>
#include <utility>

#include "base/hash.hpp"

namespace longhaul::run {

std::size_t RepeatedIds::slot_of(std::uint64_t hash) const {
  std::size_t at = hash % slots_.size();
  while (slots_[at] != 0 && slots_[at] != hash) {
    at = (at + 1) % slots_.size();
  }
  return at;
}

void RepeatedIds::grow() {
  const std::vector<std::uint64_t> before =
      std::exchange(slots_, std::vector<std::uint64_t>(slots_.size() * 2));
  for (const std::uint64_t hash : before) {
    if (hash != 0) {
      slots_[slot_of(hash)] = hash;
    }
  }
}

bool RepeatedIds::repeats(std::string_view id) {
  const std::uint64_t hash = std::max<std::uint64_t>(1, hash64(id));
  std::size_t at = slot_of(hash);
  if (slots_[at] == hash) {
    return true;
  }
  if (used_ == most_ids_) {
    overflowed_ = true;
    return false;
  }
  if (++used_ * 2 > slots_.size()) {
    grow();
    at = slot_of(hash);
  }
  slots_[at] = hash;
  return false;
}

}  // namespace longhaul::run
