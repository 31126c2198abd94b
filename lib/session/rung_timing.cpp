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
// Parts of a batch that is timed: so many for each that is computed at a time, and within bounds.
constexpr std::uint32_t kPartsEach = 4;
constexpr std::uint32_t kLeastParts = 16;
constexpr std::uint32_t kMostParts = 1024;
constexpr std::size_t kTries = 32;  // parts of pictures, until one has any that can be decoded

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
  widths.reserve(costs.size());
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
        spent += rung.parts.empty() ? 0 : time(rung);
      }
    }
    for (Rung& rung : rungs_) {
      if (!rung.parts.empty()) {
        timing_.rungs.push_back(std::move(rung.time));
      }
    }
    return std::move(timing_);
  }

 private:
  struct Rung {
    RungTime time;
    std::vector<plan::Part> parts;  // that the batch is made of
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
    const std::uint32_t most = std::clamp(
        std::min(parts_.encoder.concurrency(), kMostParts) * kPartsEach, kLeastParts, kMostParts);
    std::vector<plan::Slot> slots(std::size_t{rows} * most);
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
    Rung rung;
    rung.time.width = width;
    rung.parts = cut(width, few);
    if (!fill(rung)) {
      return;
    }
    try {
      rung.time.first_seconds = timed([&] { compute(rung.batch); });
      const double again = timed([&] { compute(rung.batch); });
      rung.time.first_seconds = std::max(0.0, rung.time.first_seconds - again);
      const double longest = std::chrono::duration<double>(parts_.pipeline.batch_time).count();
      rung.parts = cut(width, few * std::max(1.0, longest / std::max(again, 1e-6)));
    } catch (const DeviceOutOfMemory&) {
      give_up(rung);
      return;
    }
    if (fill(rung)) {
      rungs_.push_back(std::move(rung));
    }
  }

  // Assembles the rung's parts. False where they have nothing: pictures that cannot be decoded.
  bool fill(Rung& rung) {
    const std::size_t tries = survey_.pictures.empty() ? 1 : kTries;
    for (std::size_t i = 0; i < tries; ++i) {
      rung.batch = assemble(rung.parts);
      if (!rung.batch.empty()) {
        break;
      }
    }
    rung.time.parts = static_cast<std::uint32_t>(rung.batch.size());
    rung.time.rows = rung.batch.empty() ? 0 : rung.batch.front().rows;
    rung.time.records = 0;
    for (const encode::HostBatch& made : rung.batch) {
      rung.time.records += made.used_rows;
    }
    return !rung.batch.empty();
  }

  double time(Rung& rung) {
    stop_if_asked();
    double preparing = 0;
    if (!survey_.pictures.empty()) {
      const std::uint32_t before = rung.time.parts;
      preparing = timed([&] { fill(rung); });
      rescale(rung.time, before);
      if (rung.batch.empty()) {
        rung.parts.clear();
        return preparing;
      }
    }
    while (true) {
      try {
        const double seconds = timed([&] { compute(rung.batch); });
        if (!survey_.pictures.empty()) {
          rung.time.preparing.push_back(preparing);
        }
        rung.time.seconds.push_back(seconds);
        return seconds + preparing;
      } catch (const DeviceOutOfMemory&) {
        parts_.encoder.device().release_cache();
        if (rung.batch.size() < 2) {
          give_up(rung);
          return preparing;
        }
        preparing *= shrink(rung);
      }
    }
  }

  // As a run's batches become smaller where memory is short. Gives the share that is left.
  double shrink(Rung& rung) {
    const auto before = static_cast<std::uint32_t>(rung.batch.size());
    rung.batch.resize(rung.batch.size() / 2);
    rung.parts.resize(std::min(rung.parts.size(), rung.batch.size()));
    rung.time.parts = static_cast<std::uint32_t>(rung.batch.size());
    rung.time.records = 0;
    for (const encode::HostBatch& made : rung.batch) {
      rung.time.records += made.used_rows;
    }
    return rescale(rung.time, before);
  }

  // What was timed of `before` parts is told of as many as there are now.
  static double rescale(RungTime& time, std::uint32_t before) {
    const double share = static_cast<double>(time.parts) / std::max(before, 1U);
    for (std::vector<double>* rounds : {&time.seconds, &time.preparing}) {
      for (double& seconds : *rounds) {
        seconds *= share;
      }
    }
    return share;
  }

  void give_up(Rung& rung) {
    timing_.too_large.push_back(rung.time.width);
    rung.parts.clear();
    rung.batch.clear();
    parts_.encoder.device().release_cache();
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
