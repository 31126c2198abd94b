#include "torch/encoding_threads.hpp"

#include <ATen/Parallel.h>

namespace longhaul {

OperatorsAlone::OperatorsAlone() : before_(at::get_num_threads()) {
  at::set_num_threads(1);
}

OperatorsAlone::~OperatorsAlone() {
  at::set_num_threads(before_);
}

std::vector<EmbeddingBlock> EncodingThreads::encode(std::span<const HostBatch> parts,
                                                    const Encode& encode) {
  std::vector<EmbeddingBlock> blocks(parts.size());
  pool_.run(blocks.size(), [&](std::size_t i) {
    const OperatorsAlone alone;
    blocks[i] = encode(parts[i]);
  });
  return blocks;
}

}  // namespace longhaul
