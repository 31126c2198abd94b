// How fast this machine multiplies the matrices of a model: the denominator of every efficiency.
// No LibTorch header. One thread; uses as many as the encoder was given.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "encode/card.hpp"

namespace longhaul::torch_room {

// `products` as an encoder's report has them: [{"inputs", "outputs", "count"}, ...]. Operations per
// second of the fastest kernel there is, over the shapes as often as the model has them; 0 without
// any. `device` is open already, by the encoder.
double measure_product_peak(const nlohmann::json& products, const std::string& device, Dtype dtype);

}  // namespace longhaul::torch_room
