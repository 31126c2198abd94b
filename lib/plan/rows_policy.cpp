#include "plan/rows_policy.hpp"

#include <algorithm>

namespace longhaul::plan {

std::uint32_t RowsPolicy::rows(std::uint32_t width) const {
  if (part_tokens == 0) {
    return rows_fixed;
  }
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(part_tokens / std::max(width, 1U), 1));
}

}  // namespace longhaul::plan
