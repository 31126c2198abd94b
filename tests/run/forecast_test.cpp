// The time left that a run tells, against what it then takes: on a clock that only the encoder
// moves, by a known number of seconds for a token of each width.
#include "run/forecast.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "fakes/memory_store.hpp"
#include "fakes/recording_log.hpp"
#include "fakes/timed_encoder.hpp"
#include "fakes/vector_reader.hpp"
#include "prepare/sequence_preprocessor.hpp"
#include "run/pipeline.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::run;

namespace {

double token_seconds(std::uint32_t width) {
  return 1e-4 * (1 + width / 1500.0);
}

// A reader that tells less of how much there is, or that by records.
class Telling : public VectorReader {
 public:
  enum class What { kBytes, kRecords, kNothing };
  Telling(std::vector<Record> records, What what)
      : VectorReader(records), what_(what), count_(records.size()) {
    std::uint64_t bytes = 0;
    for (const Record& record : records) {
      ends_.push_back(bytes += record.payload.size() + 20);
    }
  }
  input::InputProgress progress() const override {
    const std::uint64_t at = position().position;
    const std::uint64_t read = at == 0 ? 0 : ends_[at - 1];
    switch (what_) {
      case What::kBytes:
        return {read, ends_.back(), std::nullopt};
      case What::kRecords:
        return {0, std::nullopt, count_};
      default:
        return {read, std::nullopt, std::nullopt};
    }
  }

 private:
  What what_;
  std::uint64_t count_;
  std::vector<std::uint64_t> ends_;
};

// One stretch like the other.
std::vector<Record> random_records(std::size_t count) {
  std::mt19937 random(7);
  std::vector<Record> records;
  for (std::size_t i = 0; i < count; ++i) {
    records.push_back(sequence_record(i, std::string(1 + random() % 400, 'A')));
  }
  return records;
}

struct Told {
  double at = 0;
  RunSnapshot snapshot;
};

struct Run {
  FakeClock clock;
  std::map<std::uint64_t, double> more_seconds;  // by call
  std::vector<Record> records = random_records(3000);
  Telling::What what = Telling::What::kBytes;
  std::uint32_t window = 4096;
  Order order = Order::kLength;
  std::optional<std::uint64_t> stop_after;  // batches
  std::optional<store::Progress> from;
  MemoryStore store;
  std::vector<Told> told;
  double end = 0;

  void play() {
    const encode::EncoderCard card = encode::parse_card(fake_card_text({{"fake", true}}), "fake");
    const prepare::SequencePreprocessor preprocessor(card.alphabet, {});
    FakeEncoderSettings settings;
    settings.part_rows = order == Order::kLength ? 4 : 0;
    TimedEncoder encoder(settings, clock, token_seconds);
    encoder.more_seconds = more_seconds;
    Telling reader(records, what);
    if (from) {
      reader.seek({from->window_start, from->window_start, "", {}});
    }
    plan::MemoryGovernor governor({.start_budget = 1e9,
                                   .host_limit_bytes = std::nullopt,
                                   .device_limit_bytes = std::nullopt});
    device::LeakMonitor leaks;
    RecordingLog log;
    PipelineSettings pipeline;
    pipeline.window.records = window;
    pipeline.window.order = {.order = order, .group_rows = 8, .max_tokens = std::nullopt};
    pipeline.parts = encoder.rows_policy();
    pipeline.stop_after_batches = stop_after;
    pipeline.commit_every = std::chrono::milliseconds(0);
    PipelineHooks hooks;
    hooks.now = [this] { return clock.now(); };
    hooks.progress = [this](const RunSnapshot& snapshot) {
      told.push_back({clock.seconds, snapshot});
    };
    run_pipeline({reader, preprocessor, encoder, store, governor, leaks, log}, pipeline, hooks,
                 from);
    end = clock.seconds;
  }

  // The snapshot at that share of the time.
  const Told& at(double share) const {
    for (const Told& one : told) {
      if (one.at >= share * end) {
        return one;
      }
    }
    return told.back();
  }
  // What was told, in what was true.
  double told_at(double share) const {
    const Told& one = at(share);
    REQUIRE(one.snapshot.time_left);
    return one.snapshot.time_left->seconds / (end - one.at);
  }
};

}  // namespace

TEST_CASE("longest first, the time left is right from the tenth of the run on") {
  Run run;
  run.play();
  for (const double share : {0.1, 0.25, 0.5, 0.75, 0.9}) {
    INFO(share);
    CHECK(run.told_at(share) == Approx(1).margin(0.03));
    CHECK_FALSE(run.at(share).snapshot.time_left->approximate);
  }
  CHECK(run.told.back().snapshot.time_left->seconds == 0);
}

TEST_CASE("windows that are not read yet are judged by those that were, and that is said") {
  for (const Telling::What what : {Telling::What::kBytes, Telling::What::kRecords}) {
    Run run;
    run.window = 128;
    run.what = what;
    run.play();
    for (const double share : {0.1, 0.25, 0.5, 0.75}) {
      INFO(share);
      CHECK(run.told_at(share) == Approx(1).margin(share > 0.5 ? 0.1 : 0.05));
      CHECK(run.at(share).snapshot.time_left->approximate);
    }
    CHECK_FALSE(run.at(0.99).snapshot.time_left->approximate);
  }
}

TEST_CASE("where nobody knows how much there is, no time is told before the end is seen") {
  Run run;
  run.window = 512;
  run.what = Telling::What::kNothing;
  run.play();
  CHECK_FALSE(run.at(0.5).snapshot.time_left);
  CHECK(run.told_at(0.95) == Approx(1).margin(0.05));
}

TEST_CASE("the order of the input is no other matter") {
  Run run;
  run.order = Order::kInput;
  run.window = 256;
  run.play();
  for (const double share : {0.1, 0.5, 0.75}) {
    INFO(share);
    CHECK(run.told_at(share) == Approx(1).margin(0.05));
  }
}

TEST_CASE("no time is told before a batch was timed, and what is made once is no pace") {
  Run run;
  run.more_seconds[1] = 60;
  run.play();
  CHECK_FALSE(run.told.front().snapshot.time_left);
  CHECK(run.told_at((60 + 0.1 * (run.end - 60)) / run.end) == Approx(1).margin(0.05));
}

TEST_CASE("an hour in which the process was stopped is no pace") {
  for (const std::uint64_t call : {2U, 3U, 10U}) {
    INFO(call);
    Run run;
    run.more_seconds[call] = 3600;
    run.play();
    const double work = run.end - 3600;
    const Told& late = run.at((3600 + 0.5 * work) / run.end);
    CHECK(late.snapshot.time_left->seconds == Approx(run.end - late.at).epsilon(0.05));
    if (call > 2) {
      CHECK(run.told.back().snapshot.seconds_at_work == Approx(work).epsilon(0.05));
    }
  }
}

TEST_CASE("what an earlier session did is neither pace nor work") {
  Run first;
  first.window = 1024;
  first.stop_after = 12;
  first.play();
  const store::Progress done = first.store.commits.back();
  REQUIRE(done.position > 0);  // inside a window
  Run second;
  second.window = 1024;
  second.from = done;
  second.play();
  for (const double share : {0.1, 0.5, 0.75}) {
    INFO(share);
    CHECK(second.told_at(share) == Approx(1).margin(0.05));
  }
}

TEST_CASE("records that are not computed take the time that such took") {
  Forecast forecast;
  WindowWork window;
  window.all.passed = window.left.passed = 100;
  window.end_row = 100;
  forecast.begin_window(window);
  const input::InputProgress whole{0, std::nullopt, 300};
  CHECK_FALSE(forecast.left(whole));  // nothing is known of them
  forecast.done({{}, 100}, 10);
  CHECK(forecast.left(whole)->seconds == Approx(20));
  CHECK(forecast.left(whole)->approximate);
}
