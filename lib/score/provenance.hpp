// Whether a head may be used on embeddings: both must come from the same model, pooled and
// normalised alike.
// Pure functions over JSON; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace longhaul::score {

struct OriginComparison {
  std::vector<std::string> conflicts;  // "pooling is mean in the head and cls in the embeddings"
  std::vector<std::string> remarks;    // differences that change low digits only: dtype
};

// Both as RunDirectory::origin() has them.
OriginComparison compare_origins(const nlohmann::json& head, const nlohmann::json& embeddings);

}  // namespace longhaul::score
