// open_device() for this room: the same, as a TorchDevice that shares the count of live bytes.
#pragma once

#include <memory>
#include <string>

#include "torch/device/torch_device.hpp"

namespace longhaul::torch_room {

std::unique_ptr<TorchDevice> open_torch_device(const std::string& name,
                                               const std::shared_ptr<LiveBytes>& live);

}  // namespace longhaul::torch_room
