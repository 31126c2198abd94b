#include "torch/encoding_threads.hpp"

#include <ATen/Parallel.h>

namespace longhaul::torch_room {

OperatorsAlone::OperatorsAlone() : before_(at::get_num_threads()) {
  at::set_num_threads(1);
}

OperatorsAlone::~OperatorsAlone() {
  at::set_num_threads(before_);
}

std::vector<encode::EmbeddingBlock> EncodingThreads::encode(
    std::span<const encode::HostBatch> parts, const Encode& encode) {
  std::vector<encode::EmbeddingBlock> blocks(parts.size());
  pool_.run(blocks.size(), [&](std::size_t i) {
    const OperatorsAlone alone;
    blocks[i] = encode(parts[i]);
  });
  return blocks;
}

}  // namespace longhaul::torch_room
