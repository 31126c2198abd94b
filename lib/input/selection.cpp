#include "input/selection.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace longhaul::input {

ShardBlocks::ShardBlocks(std::uint64_t index, std::uint64_t count, std::uint64_t block)
    : number_(index - 1), count_(count), block_(block) {
  if (index < 1 || index > count || block < 1) {
    throw Error(ExitCode::kInternal,
                "there is no shard " + std::to_string(index) + " of " + std::to_string(count));
  }
}

std::optional<std::uint64_t> ShardBlocks::count_of(std::optional<std::uint64_t> records) const {
  if (!records) {
    return std::nullopt;
  }
  const std::uint64_t blocks = *records / block_;  // whole ones; one more holds what is left
  const std::uint64_t mine = blocks / count_ + (number_ < blocks % count_ ? 1 : 0);
  return mine * block_ + (blocks % count_ == number_ ? *records % block_ : 0);
}

}  // namespace longhaul::input
