// Makes a module, or a program that was traced at float32, compute at a half type.
// A trace keeps the type that x.to(y.dtype), or a tensor made on the way, had when it was made;
// such a module, converted as torch converts modules, mixes types and fails. The encoding thread.
#pragma once

#include "torch/encoder/script_program.hpp"

namespace longhaul::torch_room {

// The parameters and buffers of `module` that are floating-point numbers become `type`, as in
// Python; LibTorch's own Module::to() takes the others along, such as the numbers of positions.
void convert_weights(const torch::jit::Module& module, c10::ScalarType type);

// Changes `program`, whose weights are float32: its weights and other float32 constants become
// `type`; so do casts to float32 of what is float32 already, or of masks, and tensors made of one
// number. What a model computes at float32 on purpose (angles from positions, the type of a
// softmax) stays. Tried with `inputs`, a batch at float32. Whether the outcome runs is the caller's
// to try.
void convert_types(ScriptProgram& program, c10::ScalarType type,
                   const std::vector<at::Tensor>& inputs);

}  // namespace longhaul::torch_room
