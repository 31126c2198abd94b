// A small run over an EmbeddingStore, a pure function of its plan: windows of records, each encoded
// in an order of its own, with rejects known early and late, and duplicates. No torch, no pipeline.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::store::test {

struct DriverPlan {
  std::uint64_t records = 22;
  std::uint64_t window = 6;
  std::uint64_t commit_every = 4;  // rows
  StoreLayout layout = single_vector(5, OutputDtype::kFp32, {"label", "id"});
};

// Begins or continues the run in `directory` and finishes it. The journal's last progress, as it
// was acknowledged, goes to `acknowledged` (records complete, position) when given.
struct Acknowledged {
  std::uint64_t window_start = 0;
  std::uint64_t position = 0;
  bool finished = false;
};
void drive(Files& files, const std::string& directory, const DriverPlan& plan,
           Acknowledged* acknowledged = nullptr);

// The vector that record `row` must have; empty when it is rejected.
std::vector<float> expected_vector(const DriverPlan& plan, std::uint64_t row);

}  // namespace longhaul::store::test
