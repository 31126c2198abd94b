// Between HostBatch and the encoder: tensors in the order and types of the card, and the tensor the
// card means out of what the encoder gave. The encoding thread.
#pragma once

#include <torch/script.h>

#include <vector>

#include "encode/batch.hpp"
#include "encode/card.hpp"
#include "torch/encoder/device_copies.hpp"

namespace longhaul::torch_room {

c10::ScalarType to_scalar_type(Dtype dtype);

// The encoder's inputs on the device. Pixels are scaled and normalised there; floating-point inputs
// have the computing type.
std::vector<at::Tensor> input_tensors(const encode::EncoderCard& card,
                                      const encode::HostBatch& batch, Copies& copies, Dtype dtype);

// The tensor that an output of the card is. Error(kBadData) when there is none, or its rank, type
// or sizes are not what the card says of this batch.
at::Tensor output_tensor(const encode::CardOutput& output, const encode::HostBatch& batch,
                         const torch::jit::IValue& result);

// A block of which some numbers may still be on their way to the host.
struct PendingBlock {
  encode::EmbeddingBlock block;  // whole, but for the numbers of the tensors that are defined
  at::Tensor values = {};        // float32, contiguous
  at::Tensor sums = {};          // double, contiguous
  Normalize normalize = Normalize::kNone;
};

// Once they have arrived.
encode::EmbeddingBlock finished(PendingBlock pending);

// One vector per used row. On a CPU the bits of a row depend on its own states alone; on a device
// that is apart pooling runs there and rows x dimension comes back.
PendingBlock pooled_block(const encode::EncoderCard& card, OutputKind kind,
                          const encode::HostBatch& batch, const at::Tensor& output, Pooling pooling,
                          Copies& copies);

// The vectors of each used row's residues as the encoder gave them, in float32. The output is rows
// x width x dimension; no more than the residues leaves the device.
PendingBlock token_block(const encode::EncoderCard& card, const encode::HostBatch& batch,
                         const at::Tensor& output, Copies& copies);

}  // namespace longhaul::torch_room
