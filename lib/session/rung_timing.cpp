#include "session/rung_timing.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "run/stopwatch.hpp"

namespace longhaul::session {
namespace {

constexpr std::size_t kMostWidths = 16;
constexpr std::uint32_t kRounds = 7;
constexpr std::uint32_t kLeastRounds = 3;
constexpr double kEnoughSeconds = 12;  // after that no further round is begun
constexpr std::uint32_t kMostParts = 64;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Those that count most, and the ends, between which the others lie.
std::vector<std::uint32_t> widths_to_time(const plan::Workload& work) {
  std::vector<std::pair<double, std::uint32_t>> costs;
  for (const auto& [width, tokens] : work.tokens) {
    costs.emplace_back(plan::cost_per_row(width) / width * static_cast<double>(tokens), width);
  }
  if (costs.size() > kMostWidths) {
    std::swap(costs[1], costs.back());
    std::sort(costs.begin() + 2, costs.end(), std::greater<>());
    costs.resize(kMostWidths);
  }
  std::vector<std::uint32_t> widths;
  for (const auto& [cost, width] : costs) {
    widths.push_back(width);
  }
  std::sort(widths.rbegin(), widths.rend());  // as a window has them
  return widths;
}

class Timer {
 public:
  Timer(const TimingParts& parts, InputSurvey& survey) : parts_(parts), survey_(survey) {}

  RungTiming run() {
    for (const std::uint32_t width : widths_to_time(survey_.work())) {
      begin(width);
    }
    double spent = 0;
    for (std::uint32_t round = 0;
         round < kRounds && (round < kLeastRounds || spent < kEnoughSeconds); ++round) {
      for (Rung& rung : rungs_) {
        spent += time(rung);
      }
    }
    for (Rung& rung : rungs_) {
      timing_.rungs.push_back(std::move(rung.time));
    }
    return std::move(timing_);
  }

 private:
  struct Rung {
    RungTime time;
    std::vector<encode::HostBatch> batch;
  };

  void stop_if_asked() const {
    if (parts_.stop && parts_.stop()) {
      throw Error(ExitCode::kInterrupted, "interrupted before the machine was timed",
                  "give the same command again: a plan leaves nothing");
    }
  }

  // The records of a part of this width.
  std::vector<prepare::Row> rows_for(std::uint32_t width, std::uint32_t count) {
    std::vector<prepare::Row> rows;
    if (!survey_.pictures.empty()) {
      for (std::uint32_t i = 0; i < count; ++i) {
        rows.push_back({&survey_.pictures[next_picture_++ % survey_.pictures.size()], 0});
      }
      return rows;
    }
    auto sample = survey_.samples.upper_bound(width);
    if (sample != survey_.samples.begin()) {
      --sample;
    }
    rows.assign(count, {&sample->second, 0});
    return rows;
  }

  // As a run cuts it; `work` bounds it.
  std::vector<plan::Part> cut(std::uint32_t width, double work) const {
    const run::PipelineSettings& pipeline = parts_.pipeline;
    const std::uint32_t group =
        pipeline.parts.rows(width) > 0 ? 0 : pipeline.window.order.group_rows;
    const std::uint32_t rows = group > 0 ? group : pipeline.parts.rows(width);
    std::vector<plan::Slot> slots(std::size_t{rows} * kMostParts);
    for (std::uint32_t i = 0; i < slots.size(); ++i) {
      slots[i] = {i, width, group > 0 ? i / group : 0, 0};
    }
    return plan::cut_batch(slots, 0, pipeline.parts,
                           {.rows = pipeline.batch_rows,
                            .tokens = pipeline.batch_tokens,
                            .budget = parts_.governor.budget(width),
                            .work = work,
                            .concurrency = parts_.encoder.concurrency()});
  }

  std::vector<encode::HostBatch> assemble(const std::vector<plan::Part>& cut) {
    std::vector<encode::HostBatch> batch;
    for (const plan::Part& part : cut) {
      const auto rows = rows_for(part.width, part.count);
      prepare::Assembled made = parts_.preprocessor.assemble(rows, part.width, part.rows);
      if (!made.accepted.empty()) {
        batch.push_back(std::move(made.batch));
      }
    }
    return batch;
  }

  // A part for each that is computed at a time, for what is made once; then what a run would have
  // in hand, as far as it takes less than a run's longest batch.
  void begin(std::uint32_t width) {
    stop_if_asked();
    const double part = plan::cost_per_row(width) * std::max(parts_.pipeline.parts.rows(width), 1U);
    const double few = part * parts_.encoder.concurrency();
    std::vector<encode::HostBatch> batch = assemble(cut(width, few));
    if (batch.empty()) {
      return;
    }
    Rung rung;
    rung.time.width = width;
    try {
      rung.time.first_seconds = timed([&] { compute(batch); });
      const double again = timed([&] { compute(batch); });
      rung.time.first_seconds = std::max(0.0, rung.time.first_seconds - again);
      const double longest = std::chrono::duration<double>(parts_.pipeline.batch_time).count();
      batch = assemble(cut(width, few * std::max(1.0, longest / std::max(again, 1e-6))));
    } catch (const DeviceOutOfMemory&) {
      timing_.too_large.push_back(width);
      parts_.encoder.device().release_cache();
      return;
    }
    rung.time.parts = static_cast<std::uint32_t>(batch.size());
    rung.time.rows = batch.front().rows;
    for (const encode::HostBatch& made : batch) {
      rung.time.records += made.used_rows;
    }
    rung.batch = std::move(batch);
    rungs_.push_back(std::move(rung));
  }

  double time(Rung& rung) {
    stop_if_asked();
    double preparing = 0;
    if (!survey_.pictures.empty()) {
      const auto again = cut(rung.time.width, std::numeric_limits<double>::infinity());
      preparing = timed([&] { rung.batch = assemble(again); });
      rung.time.preparing.push_back(preparing);
    }
    const double seconds = timed([&] { compute(rung.batch); });
    rung.time.seconds.push_back(seconds);
    return seconds + preparing;
  }

  void compute(const std::vector<encode::HostBatch>& batch) {
    parts_.encoder.encode(std::span<const encode::HostBatch>(batch));
    parts_.encoder.device().synchronize();
  }

  template <typename Action>
  double timed(const Action& action) const {
    double took = 0;
    {
      const run::Stopwatch watch(parts_.now, took);
      action();
    }
    return took;
  }

  const TimingParts& parts_;
  InputSurvey& survey_;
  std::vector<Rung> rungs_;
  std::size_t next_picture_ = 0;
  RungTiming timing_;
};

std::vector<double> by_round(const std::vector<RungTime>& rungs, const plan::Workload& work,
                             std::vector<double> RungTime::*seconds) {
  std::vector<double> rounds;
  if (rungs.empty()) {
    return rounds;
  }
  for (std::size_t round = 0; round < (rungs.front().*seconds).size(); ++round) {
    plan::TokenTimes times;
    for (const RungTime& rung : rungs) {
      times.learn(rung.work(), (rung.*seconds)[round]);
    }
    rounds.push_back(times.seconds_of(work).value_or(0));
  }
  return rounds;
}

}  // namespace

plan::Workload RungTime::work() const {
  plan::Workload work;
  work.add(width, std::uint64_t{parts} * rows);
  return work;
}

std::vector<double> RungTiming::encoding(const plan::Workload& work) const {
  return by_round(rungs, work, &RungTime::seconds);
}

std::vector<double> RungTiming::preparing(const plan::Workload& work) const {
  return by_round(rungs, work, &RungTime::preparing);
}

double RungTiming::first_forwards(const plan::Workload& work) const {
  std::vector<double> extra;
  for (const RungTime& rung : rungs) {
    extra.push_back(rung.first_seconds);
  }
  return extra.empty() ? 0 : median(extra) * static_cast<double>(work.tokens.size());
}

RungTiming time_rungs(const TimingParts& parts, InputSurvey& survey) {
  return Timer(parts, survey).run();
}

}  // namespace longhaul::session
