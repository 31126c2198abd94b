// Products for searches (score/products.hpp) by LibTorch, on any of its devices, in float32 and no
// less. No LibTorch header. One thread calls; as many work as LibTorch was given.
// Errors: kUnavailable for a device that is absent or fails, kMemory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "score/products.hpp"

namespace longhaul::torch_room {

// `device` as open_device() takes it.
std::unique_ptr<score::Products> make_products(const std::string& device, std::uint32_t threads);

}  // namespace longhaul::torch_room
