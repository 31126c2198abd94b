// What an encoder computes of a part: a forward, and of its result the blocks that are wanted.
// The encoding thread, and on a CPU each of its threads. Throws what LibTorch throws, and
// Error(kBadData) for a model that breaks its card.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "encode/batch.hpp"
#include "encode/card.hpp"
#include "torch/encoder/device_copies.hpp"
#include "torch/encoder/script_program.hpp"
#include "torch/encoder/tensors.hpp"

namespace longhaul::torch_room {

// In this order: a block of one vector a record for each of `outputs`, where vectors are wanted;
// the residues of the first, where tokens are.
struct Wanted {
  Dtype dtype = Dtype::kFp32;  // that the program computes at
  std::vector<encode::CardOutput> outputs;
  bool vectors = true;
  Pooling pooling = Pooling::kMean;
  Normalize normalize = Normalize::kNone;
  bool tokens = false;
};

// The part is needed until this has returned; with PlainCopies the blocks are finished, too.
std::vector<PendingBlock> compute_part(ScriptProgram& program, const encode::EncoderCard& card,
                                       const Wanted& wanted, const encode::HostBatch& part,
                                       Copies& copies);

encode::EncodedBatch finished(std::vector<PendingBlock> blocks);

// Parts on a device as encode_in_flight() sees it: submit() waits for nothing of the device's, as
// far as the model's own forward does not.
class PartsOnDevice {
 public:
  using Compute = std::function<std::vector<PendingBlock>(const encode::HostBatch&, Copies&)>;

  struct InFlight {
    std::optional<StagedCopies> copies;
    std::vector<PendingBlock> blocks;
  };

  PartsOnDevice(Lanes& lanes, Compute compute) : lanes_(lanes), compute_(std::move(compute)) {}

  void submit(const encode::HostBatch& part, InFlight& in_flight);
  encode::EncodedBatch collect(InFlight& in_flight);
  void settle() noexcept { lanes_.settle(); }

 private:
  Lanes& lanes_;
  const Compute compute_;
};

}  // namespace longhaul::torch_room
