// A small run over an EmbeddingStore, a pure function of its plan: windows of records, each encoded
// in an order of its own, with rejects known early and late, and duplicates. No torch, no pipeline.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "fakes/fault_files.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::store::test {

struct DriverPlan {
  std::uint64_t records = 22;
  std::uint64_t window = 6;
  std::uint64_t commit_every = 4;  // rows
  StoreLayout layout = single_vector(5, OutputDtype::kFp32, {"label", "id"});
};

// Two vectors of each record and those of its residues.
DriverPlan plan_of_three_outputs();

// Begins or continues the run in `directory` and finishes it. The journal's last progress, as it
// was acknowledged, goes to `acknowledged` (records complete, position) when given.
struct Acknowledged {
  std::uint64_t window_start = 0;
  std::uint64_t position = 0;
  bool finished = false;
};
void drive(Files& files, const std::string& directory, const DriverPlan& plan,
           Acknowledged* acknowledged = nullptr);

// A run in "out" stopped by an error at operation `at`, or finished.
fakes::FaultFiles stopped(std::uint64_t at, const DriverPlan& plan = {});
// No run has as many operations.
constexpr std::uint64_t kNever = 1U << 20;

// What "out" holds: everything but the journal, whose commits fall elsewhere after a resume.
std::map<std::string, std::string> outputs(fakes::FaultFiles& files);

// What record `row` must have in an output: of kTokens the vectors of all its residues. Empty when
// it is rejected.
std::vector<float> expected_numbers(const DriverPlan& plan, std::size_t output, std::uint64_t row);
inline std::vector<float> expected_vector(const DriverPlan& plan, std::uint64_t row) {
  return expected_numbers(plan, 0, row);
}

// A row of a layout of one vector.
inline std::array<std::span<const float>, 1> only(const std::vector<float>& vector) {
  return {vector};
}

}  // namespace longhaul::store::test
