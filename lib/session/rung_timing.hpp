// What the parts of a run take on this machine, tried for a moment with the real encoder: batches
// as a run has them, each of one width, in rounds over all widths, so that noise shows.
// The encoder's thread. Throws Error; a part that does not fit in memory is left untimed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "encode/encoder.hpp"
#include "plan/memory_governor.hpp"
#include "plan/workload.hpp"
#include "run/pipeline.hpp"
#include "session/input_survey.hpp"

namespace longhaul::session {

struct RungTime {
  std::uint32_t width = 0;
  std::uint32_t parts = 0;  // of the batch that was timed
  std::uint32_t rows = 0;   // of each
  std::uint64_t records = 0;
  double first_seconds = 0;       // the first time, with all that is made once
  std::vector<double> seconds;    // of the batch, in each round
  std::vector<double> preparing;  // of images: reading and decoding them
  plan::Workload work() const;
};

struct RungTiming {
  std::vector<RungTime> rungs;
  std::vector<std::uint32_t> too_large;  // widths whose part does not fit in memory

  // What `work` takes, by each round; empty where nothing was timed.
  std::vector<double> encoding(const plan::Workload& work) const;
  std::vector<double> preparing(const plan::Workload& work) const;
  // What is made once for each width of `work`, such as a kernel's plan, over all of them.
  double first_forwards(const plan::Workload& work) const;
};

struct TimingParts {
  encode::Encoder& encoder;
  const prepare::Preprocessor& preprocessor;
  const plan::MemoryGovernor& governor;
  const run::PipelineSettings& pipeline;
  std::function<std::chrono::steady_clock::time_point()> now;
  std::function<bool()> stop;  // ends it with Error(kInterrupted)
};

// `survey` lends its samples, of which pictures are read.
RungTiming time_rungs(const TimingParts& parts, InputSurvey& survey);

}  // namespace longhaul::session
