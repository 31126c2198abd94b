// `longhaul plan`: what a run will need and take, found before it begins, by the same reader,
// preprocessor, windows, parts and encoder that the run will have. Writes nothing.
// One thread. Throws Error as a run's beginning does.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "config/run_config.hpp"
#include "domain/numbers.hpp"
#include "session/input_survey.hpp"
#include "session/rung_timing.hpp"
#include "session/workshop.hpp"

namespace longhaul::session {

struct PlanningHost {
  Files& files;
  Log& log;
  const Workshop& workshop;
  std::uint32_t threads = 1;
  std::function<std::chrono::steady_clock::time_point()> now;
  std::function<bool()> stop;
  std::function<void(std::uint64_t records)> progress;  // records read; may be empty
};

// Seconds: what is expected, and between which it lies if the machine goes on as in the rounds.
struct Span {
  double low = 0;
  double expected = 0;
  double high = 0;
};

// What a run would find in its directory.
struct RunThere {
  std::uint64_t records = 0;
  bool complete = false;
};

struct RunPlan {
  Modality modality = Modality::kSequence;
  std::string model;
  std::string device;
  std::uint32_t threads = 0;
  InputSurvey survey;
  RungTiming timing;
  double reading_seconds = 0;   // of this look at the input
  double starting_seconds = 0;  // until the first batch: the model, and what is tried with it
  std::optional<Span> time;     // of one process that embeds all; nothing where nothing is embedded
  std::vector<Span> shards;     // of each process, where shards were asked for
  std::optional<std::uint64_t> restarts;  // with --time-limit: how often it begins again at least
  bool too_short = false;                 // --time-limit is over before the first batch
  std::uint64_t bytes_out = 0;
  std::uint64_t bytes_there = 0;  // of them, on the disk already
  std::optional<RunThere> there;  // of a run of one process, or a merge
  std::optional<std::uint64_t> bytes_free;
  std::string where;                    // the folder whose disk was asked
  std::optional<std::uint64_t> memory;  // of the process, the most while parts were timed
  std::optional<std::uint64_t> memory_limit;
  std::optional<std::uint64_t> device_memory;
  std::optional<std::uint64_t> device_memory_limit;
  ExitCode code = ExitCode::kDone;  // that a run would end with, as far as can be told
  std::string why;                  // of an error's code
};

// `block`: consecutive records that are dealt to a shard together.
RunPlan plan_run(const config::RunConfig& config, std::uint32_t shards, std::uint64_t block,
                 const PlanningHost& host);

}  // namespace longhaul::session
