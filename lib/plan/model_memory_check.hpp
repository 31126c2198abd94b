// Whether a model can be loaded at all, asked before it is.
// A pure function; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "device/memory_reading.hpp"

namespace longhaul::plan {

// Throws Error(kMemory) with the figures when a model of `model_bytes` (its file) cannot be loaded
// within the limit or within what the system, the cgroup or the address space has left.
void require_room_for_model(std::uint64_t model_bytes, const device::MemoryReading& reading,
                            const std::optional<std::uint64_t>& host_limit_bytes);

}  // namespace longhaul::plan
