// Where the time of forwards on a CPU goes, by operator. No LibTorch header. While it measures,
// nothing else may call LibTorch.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

namespace longhaul::torch_room {

// Runs `work`. {"seconds", "kinds": [{"kind", "seconds"}], "operators": [{"name", "kind", "calls",
// "seconds"}]}, the dearest first. Seconds are those of an operator itself, without the operators
// that it calls, added up over threads. Kinds: products, attention, norm, elementwise, copies,
// other.
nlohmann::json operation_times(const std::function<void()>& work);

}  // namespace longhaul::torch_room
