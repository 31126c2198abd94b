// A linear layer on the CPU: each row of x times each row of the weight, plus a bias, and then gelu
// or a residual sum in the same pass.
// A row of the result depends on that row of x alone, to the last bit: its products are summed in
// one order, however many rows there are. Any thread; outputs may be shared out among threads.
#pragma once

#include <cstdint>

#include "kernels/implementation.hpp"
#include "kernels/states.hpp"

namespace longhaul::kernels {

enum class Activation { kNone, kRelu, kGelu, kGeluTanh };

// Outputs that are computed together; packed weights are padded to a multiple of it with zeros.
inline constexpr std::int64_t kOutputBlock = 64;

// Its items are the blocks of kOutputBlock outputs.
struct LinearTask {
  const Bfloat16* x = nullptr;  // rows x inputs, `x_row` numbers from row to row
  std::int64_t x_row = 0;
  const Bfloat16* packed = nullptr;  // by pack_linear(), aligned to 64 bytes
  const float* bias = nullptr;       // outputs, or null
  const Bfloat16* other = nullptr;   // rows x outputs, added after the activation; or null
  Bfloat16* out = nullptr;           // rows x outputs; may be `other`, overlaps none of the rest
  std::int64_t rows = 0;
  std::int64_t inputs = 0;  // even
  std::int64_t outputs = 0;
  Activation activation = Activation::kNone;
};

// Numbers in a packed weight of outputs x inputs.
std::int64_t packed_size(std::int64_t outputs, std::int64_t inputs);
// `weight` is outputs x inputs, row by row; inputs are even. Pairs of inputs lie side by side for
// each output of a block: packed[block][pair][output of the block][2].
void pack_linear(const Bfloat16* weight, std::int64_t outputs, std::int64_t inputs,
                 Bfloat16* packed);

std::int64_t output_blocks(const LinearTask& task);

template <>
std::span<const Implementation<LinearTask>> implementations<LinearTask>();

}  // namespace longhaul::kernels
