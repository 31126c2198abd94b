// Progress, outcomes and layout as the journal spells them.
// Pure functions; any thread. Reading throws nlohmann::json::exception or Error(kBadData) for what
// is not there or not of its kind.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "store/embedding_store.hpp"

namespace longhaul::store {

nlohmann::ordered_json to_json(const StoreLayout& layout);
StoreLayout layout_from_json(const nlohmann::json& object);

nlohmann::ordered_json to_json(const Progress& progress);
// `version` is the journal's.
Progress progress_from_json(const nlohmann::json& object, int version);

}  // namespace longhaul::store
