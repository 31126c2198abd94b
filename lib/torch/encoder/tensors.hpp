// Between HostBatch and the encoder: tensors in the order and types of the card, and the tensor the
// card means out of what the encoder gave. The encoding thread.
#pragma once

#include <torch/script.h>

#include <vector>

#include "encode/batch.hpp"
#include "encode/card.hpp"

namespace longhaul::torch_room {

c10::ScalarType to_scalar_type(Dtype dtype);

// The encoder's inputs on `device`. Pixels are scaled and normalised there; floating-point inputs
// have the computing type.
std::vector<at::Tensor> input_tensors(const encode::EncoderCard& card,
                                      const encode::HostBatch& batch, c10::Device device,
                                      Dtype dtype);

// The tensor that an output of the card is. Error(kBadData) when there is none, or its rank, type
// or sizes are not what the card says of this batch.
at::Tensor output_tensor(const encode::CardOutput& output, const encode::HostBatch& batch,
                         const torch::jit::IValue& result);

// One vector per used row, normalised if asked, on the host. On a CPU the bits of a row depend on
// its own states alone; on other devices pooling runs there and rows x dimension comes back.
encode::EmbeddingBlock pooled_block(const encode::EncoderCard& card, OutputKind kind,
                                    const encode::HostBatch& batch, const at::Tensor& output,
                                    Pooling pooling, Normalize normalize);

// The vectors of each used row's residues as the encoder gave them, in float32 on the host. The
// output is rows x width x dimension; no more than the residues leaves the device.
encode::EmbeddingBlock token_block(const encode::EncoderCard& card, const encode::HostBatch& batch,
                                   const at::Tensor& output);

}  // namespace longhaul::torch_room
