// Which instruction set this program's CPU kernels use: a choice that makes bits. Any thread.
#pragma once

#include "encode/encoder.hpp"
#include "kernels/isa.hpp"

namespace longhaul::torch_room {

// An earlier session's choice where this machine has it, else the one asked for, else the best.
// Error(kUsage) for a set that is asked for and that this machine lacks.
kernels::Isa choose_isa(const encode::EncoderOptions& options);

}  // namespace longhaul::torch_room
