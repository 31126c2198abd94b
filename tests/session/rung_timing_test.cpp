// What a plan says that work takes, by a clock that only the fake encoder moves.
#include "session/rung_timing.hpp"

#include <catch2/catch.hpp>

#include "fakes/recording_log.hpp"
#include "fakes/timed_encoder.hpp"
#include "fakes/vector_reader.hpp"
#include "prepare/sequence_preprocessor.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::session;

namespace {

constexpr double kTokenSeconds = 1e-3;

struct TimingScene {
  FakeEncoderSettings settings;
  bool pictures = false;
  RungTiming timing;
  plan::Workload work;
  std::uint64_t failures = 0;  // that the device made

  void time() {
    settings.part_rows = 4;
    FakeClock clock;
    TimedEncoder encoder(settings, clock, [](std::uint32_t) { return kTokenSeconds; });
    const encode::EncoderCard card = encode::parse_card(fake_card_text({{"fake", true}}), "fake");
    const prepare::SequencePreprocessor preprocessor(card.alphabet, {});
    const plan::MemoryGovernor governor({.start_budget = 1e12,
                                         .host_limit_bytes = std::nullopt,
                                         .device_limit_bytes = std::nullopt});
    run::PipelineSettings pipeline;
    pipeline.parts = encoder.rows_policy();
    InputSurvey survey;
    survey.shards.resize(1);
    for (const std::uint32_t length : {30U, 120U, 250U}) {
      prepare::Prepared prepared =
          preprocessor.measure(sequence_record(0, std::string(length, 'A')));
      survey.shards[0].work.add(plan::rung_of(prepared.tokens, std::nullopt), 4000);
      survey.samples.emplace(plan::rung_of(prepared.tokens, std::nullopt), std::move(prepared));
    }
    work = survey.work();
    if (pictures) {
      // Of one width, as pictures are.
      const std::uint32_t width = survey.samples.begin()->first;
      work = {};
      work.add(width, 4000);
      survey.shards[0].work = work;
      for (std::size_t i = 0; i < 32; ++i) {
        survey.pictures.push_back(survey.samples.begin()->second);
      }
    }
    timing = time_rungs({.encoder = encoder,
                         .preprocessor = preprocessor,
                         .governor = governor,
                         .pipeline = pipeline,
                         .now = [&clock] { return clock.now(); },
                         .stop = {}},
                        survey);
    failures = encoder.device().failures();
  }

  void check_seconds() const {
    const std::vector<double> rounds = timing.encoding(work);
    REQUIRE(rounds.size() >= 3);
    for (const double seconds : rounds) {
      CHECK(seconds == Approx(static_cast<double>(work.total()) * kTokenSeconds));
    }
  }
};

}  // namespace

TEST_CASE("work takes what its tokens take") {
  TimingScene scene;
  scene.time();
  CHECK(scene.timing.rungs.size() == 3);
  scene.check_seconds();
}

TEST_CASE("pictures too, whose batch is assembled anew in each round") {
  TimingScene scene;
  scene.pictures = true;
  scene.time();
  REQUIRE(scene.timing.rungs.size() == 1);
  CHECK(scene.timing.preparing(scene.work).size() == scene.timing.encoding(scene.work).size());
  scene.check_seconds();
}

TEST_CASE("a batch that does not fit in a round is timed smaller") {
  TimingScene scene;
  scene.settings.device.fail_at = {8, 11, 14};
  scene.time();
  CHECK(scene.timing.rungs.size() == 3);
  CHECK(scene.timing.too_large.empty());
  CHECK(scene.failures == 3);
  scene.check_seconds();
}

TEST_CASE("a width of which no part fits in a round is left out, and named") {
  TimingScene scene;
  scene.settings.device.fail_at = {7};
  scene.settings.device.fail_times = 0;
  scene.time();
  CHECK(scene.timing.rungs.empty());
  CHECK(scene.timing.too_large == std::vector<std::uint32_t>{256, 128, 32});
}
