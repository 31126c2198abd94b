#include "torch/encoding_threads.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

namespace longhaul {
namespace {

// Enough for an operator's own cost not to count, few enough for the thread's cache.
constexpr std::uint64_t kPartTokens = 1024;

HostBatch filled_with_dummies(HostBatch part, std::uint32_t rows) {
  part.tokens.resize(part.tokens.size() / part.rows * rows);
  part.pixels.resize(part.pixels.size() / part.rows * rows);
  part.lengths.resize(rows);
  part.rows = rows;
  return part;
}

}  // namespace

OperatorsAlone::OperatorsAlone() : before_(at::get_num_threads()) {
  at::set_num_threads(1);
}

OperatorsAlone::~OperatorsAlone() {
  at::set_num_threads(before_);
}

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

EmbeddingBlock EncodingThreads::encode(const HostBatch& batch, const Encode& encode) {
  const std::uint32_t part_rows = rows_per_part(batch.rows, batch.width, count_);
  return part_rows == batch.rows ? encode(batch) : encode_parts(batch, part_rows, encode);
}

EmbeddingBlock EncodingThreads::encode_filled(const HostBatch& batch, std::uint32_t part_rows,
                                              const Encode& encode) {
  return encode_parts(batch, part_rows, [&](const HostBatch& part) {
    return encode(part.rows == part_rows ? part : filled_with_dummies(part, part_rows));
  });
}

EmbeddingBlock EncodingThreads::encode_parts(const HostBatch& batch, std::uint32_t part_rows,
                                             const Encode& encode) {
  std::vector<EmbeddingBlock> blocks((batch.rows + part_rows - 1) / part_rows);
  pool_.run(blocks.size(), [&](std::size_t i) {
    const OperatorsAlone alone;
    const std::uint32_t first = static_cast<std::uint32_t>(i) * part_rows;
    blocks[i] = encode(slice(batch, first, std::min(part_rows, batch.rows - first)));
  });
  EmbeddingBlock whole = std::move(blocks.front());
  for (auto block = blocks.begin() + 1; block != blocks.end(); ++block) {
    whole.rows += block->rows;
    whole.values.insert(whole.values.end(), block->values.begin(), block->values.end());
  }
  return whole;
}

}  // namespace longhaul
