// What can be told of a module by loading and trying it, for `longhaul inspect`. No LibTorch
// header. One thread. Loading runs code of the archive. An archive that cannot be loaded, or that
// no known signature fits: Error(kBadData).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace longhaul::torch_room {

// {"parameters": 26029056, "types": ["Float"], "methods": [...], "inputs": ["Tensor tokens", ...]};
// inputs are those of `method`.
nlohmann::json describe_module(const std::string& path, const std::string& method);

// A card as far as trying the module on the CPU tells: method, inputs, output, dimension, number of
// tokens, longest input. What cannot be known so (which token has which number, mean and std,
// pooling) is null, and a card with these nulls is refused.
nlohmann::json draft_card(const std::string& path);

}  // namespace longhaul::torch_room
