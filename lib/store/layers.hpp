// Which array of an output has the vectors of which layer. The first array's name does not say it:
// "embeddings" is that of whatever layer was asked for first. Values; any thread.
// Errors: kUsage names the layers there are.
#pragma once

#include <optional>
#include <string>

#include "store/output_reader.hpp"

namespace longhaul::store {

// The layer whose vectors an array has; empty where the model has one output without a name.
std::string layer_of(const OutputReader& output, const OutputSpec& array);
// The array of vectors of a layer, or the first.
OutputSpec array_of_layer(const OutputReader& output, const std::optional<std::string>& layer);

}  // namespace longhaul::store
