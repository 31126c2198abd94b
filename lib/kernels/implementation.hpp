// The list of a kernel's implementations, one for each instruction set that it is written for.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/isa.hpp"

namespace longhaul::kernels {

template <typename Task>
struct Implementation {
  Isa isa = Isa::kPlain;
  // Only where this machine has `isa`. Computes items [first, last) of the task.
  void (*run)(const Task& task, std::int64_t first, std::int64_t last) = nullptr;

  bool runs_here() const { return machine_has(isa); }
};

// Ascending; the first is kPlain. There is one list for each Task of this room's headers.
template <typename Task>
std::span<const Implementation<Task>> implementations();

// The last one that `isa` includes.
template <typename Task>
const Implementation<Task>& implementation_for(Isa isa) {
  const std::span<const Implementation<Task>> all = implementations<Task>();
  const Implementation<Task>* chosen = &all.front();
  for (const Implementation<Task>& one : all) {
    chosen = one.isa <= isa ? &one : chosen;
  }
  return *chosen;
}

}  // namespace longhaul::kernels
