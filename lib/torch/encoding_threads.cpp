#include "torch/encoding_threads.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

namespace longhaul {
namespace {

// Enough for an operator's own cost not to count, few enough for the thread's cache.
constexpr std::uint64_t kPartTokens = 1024;

// While it lives, LibTorch's operators called on this thread share their work with no other.
class OperatorsAlone {
 public:
  OperatorsAlone() { at::set_num_threads(1); }
  ~OperatorsAlone() { at::set_num_threads(before_); }
  OperatorsAlone(const OperatorsAlone&) = delete;
  OperatorsAlone& operator=(const OperatorsAlone&) = delete;

 private:
  const int before_ = at::get_num_threads();
};

HostBatch part_of(const HostBatch& batch, std::uint32_t first, std::uint32_t rows) {
  const auto token = batch.tokens.begin() + std::ptrdiff_t{first} * batch.width;
  const auto length = batch.lengths.begin() + std::ptrdiff_t{first};
  HostBatch part;
  part.rows = rows;
  part.used_rows = std::min(rows, batch.used_rows - std::min(batch.used_rows, first));
  part.width = batch.width;
  part.tokens.assign(token, token + std::ptrdiff_t{rows} * batch.width);
  part.lengths.assign(length, length + std::ptrdiff_t{rows});
  return part;
}

}  // namespace

std::uint32_t rows_per_part(std::uint32_t rows, std::uint32_t width, std::uint32_t threads) {
  if (threads < 2 || rows < 2) {
    return rows;
  }
  const std::uint64_t rounds =
      std::max<std::uint64_t>(std::uint64_t{rows} * width / (kPartTokens * threads), 1);
  const std::uint64_t part = (rows + rounds * threads - 1) / (rounds * threads);
  const std::uint64_t parts = (rows + part - 1) / part;
  const std::uint64_t places = (parts + threads - 1) / threads * threads * part;
  return 4 * std::uint64_t{rows} < 3 * places ? rows : static_cast<std::uint32_t>(part);
}

EncodingThreads::EncodingThreads(std::uint32_t count) : count_(count), pool_(count) {}

EmbeddingBlock EncodingThreads::encode(
    const HostBatch& batch, const std::function<EmbeddingBlock(const HostBatch&)>& encode) {
  const std::uint32_t part = rows_per_part(batch.rows, batch.width, count_);
  if (part == batch.rows) {
    return encode(batch);
  }
  std::vector<EmbeddingBlock> blocks((batch.rows + part - 1) / part);
  pool_.run(blocks.size(), [&](std::size_t i) {
    const OperatorsAlone alone;
    const std::uint32_t first = static_cast<std::uint32_t>(i) * part;
    blocks[i] = encode(part_of(batch, first, std::min(part, batch.rows - first)));
  });
  EmbeddingBlock whole = std::move(blocks.front());
  for (auto block = blocks.begin() + 1; block != blocks.end(); ++block) {
    whole.rows += block->rows;
    whole.values.insert(whole.values.end(), block->values.begin(), block->values.end());
  }
  return whole;
}

}  // namespace longhaul
