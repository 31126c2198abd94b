// The checksum of a row: one over its parts in all arrays, in the layout's order.
// A value; one thread. The parts outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/hash.hpp"

namespace longhaul::store {

class RowHash {
 public:
  void add(std::span<const std::byte> part) {
    if (parts_++ == 0) {
      only_ = part;
      return;
    }
    if (parts_ == 2) {
      running_.emplace().add(text_of(only_));
    }
    running_->add(text_of(part));
  }

  std::uint64_t value() const { return running_ ? running_->value() : hash64(only_); }

 private:
  static std::string_view text_of(std::span<const std::byte> part) {
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

  std::size_t parts_ = 0;
  std::span<const std::byte> only_;  // of most rows: no state is needed
  std::optional<RunningHash64> running_;
};

}  // namespace longhaul::store
