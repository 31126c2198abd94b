#include "torch/encoder/compute_part.hpp"

namespace longhaul::torch_room {

std::vector<PendingBlock> compute_part(ScriptProgram& program, const encode::EncoderCard& card,
                                       const Wanted& wanted, const encode::HostBatch& part,
                                       Copies& copies) {
  const torch::jit::IValue result = program.run(input_tensors(card, part, copies, wanted.dtype));
  std::vector<PendingBlock> blocks;
  if (wanted.vectors) {
    for (const encode::CardOutput& output : wanted.outputs) {
      blocks.push_back(pooled_block(card, output.kind, part, output_tensor(output, part, result),
                                    wanted.pooling, copies));
      blocks.back().normalize = wanted.normalize;
    }
  }
  if (wanted.tokens) {
    blocks.push_back(
        token_block(card, part, output_tensor(wanted.outputs.front(), part, result), copies));
  }
  return blocks;
}

encode::EncodedBatch finished(std::vector<PendingBlock> blocks) {
  encode::EncodedBatch encoded;
  for (PendingBlock& block : blocks) {
    encoded.blocks.push_back(finished(std::move(block)));
  }
  return encoded;
}

void PartsOnDevice::submit(const encode::HostBatch& part, InFlight& in_flight) {
  in_flight.blocks = compute_(part, in_flight.copies.emplace(lanes_));
}

encode::EncodedBatch PartsOnDevice::collect(InFlight& in_flight) {
  in_flight.copies->wait();
  return finished(std::move(in_flight.blocks));
}

}  // namespace longhaul::torch_room
