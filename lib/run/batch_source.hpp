// Reads windows and cuts them into batches of assembled parts: the prepare thread's work.
// Borrows all it is given; one thread at a time, but for the setter, which any thread may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "plan/memory_governor.hpp"
#include "run/jobs.hpp"
#include "run/open_window.hpp"
#include "run/reject_policy.hpp"

namespace longhaul::run {

struct CutSettings {
  plan::RowsPolicy parts;
  std::optional<std::uint32_t> rows;    // in hand at a time
  std::optional<std::uint64_t> tokens;  // likewise, padding and dummies included
  std::uint32_t concurrency = 1;        // parts that the encoder computes at a time
};

class BatchSource {
 public:
  // `skip`: records of the first window's order that an earlier session has done.
  BatchSource(WindowSource windows, const prepare::Preprocessor& preprocessor,
              const plan::MemoryGovernor& governor, const CutSettings& cut, RejectPolicy& rejects,
              std::uint64_t skip, RepeatedRow repeated = {});

  // Nothing at the end of the input.
  std::optional<BatchJob> next();

  // What a batch may cost to be done in time; the encoder's thread says so.
  void set_time_budget(double cost) { time_budget_.store(cost, std::memory_order_relaxed); }

 private:
  bool read_window();
  void assemble(const plan::Part& part, BatchJob& job);

  WindowSource windows_;
  const prepare::Preprocessor& preprocessor_;
  const plan::MemoryGovernor& governor_;
  const CutSettings cut_;
  RejectPolicy& rejects_;
  const RepeatedRow repeated_;
  std::uint64_t skip_;
  std::optional<OpenWindow> window_;
  std::atomic<double> time_budget_;
};

}  // namespace longhaul::run
