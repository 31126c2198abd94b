// Settings of the whole process that must stand before LibTorch's first operation. No LibTorch
// header. Called once, by the thread that will encode, before any other thread.
#pragma once

#include "device/device.hpp"

namespace longhaul::torch_room {

// The heap and oneDNN's caches, as long runs need them; see the source for what each is for. Values
// that the user set in the environment stay.
void set_up_process(device::FreedMemory freed);

}  // namespace longhaul::torch_room
