#include "torch/encoder/encoding_threads.hpp"

#include <ATen/Parallel.h>

namespace longhaul::torch_room {

OperatorsAlone::OperatorsAlone() : before_(at::get_num_threads()) {
  at::set_num_threads(1);
}

OperatorsAlone::~OperatorsAlone() {
  at::set_num_threads(before_);
}

std::vector<encode::EncodedBatch> EncodingThreads::encode(std::span<const encode::HostBatch> parts,
                                                          const Encode& encode) {
  std::vector<encode::EncodedBatch> encoded(parts.size());
  pool_.run(encoded.size(), [&](std::size_t i) {
    const OperatorsAlone alone;
    encoded[i] = encode(parts[i]);
  });
  return encoded;
}

}  // namespace longhaul::torch_room
