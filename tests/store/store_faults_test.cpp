#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "fakes/sanitized.hpp"
#include "store/embedding_store.hpp"
#include "store/store_driver.hpp"
#include "store/verify.hpp"

using namespace longhaul;
using namespace longhaul::store::test;
using namespace longhaul::store;
using namespace longhaul::fakes;

namespace {

std::map<std::string, std::string> uninterrupted(const DriverPlan& plan) {
  FaultFiles files;
  drive(files, "out", plan);
  return outputs(files);
}

// Finishes the run and cuts the power. A finish whose last sync failed may have been seen by the
// next start and be gone now: then it is finished once more.
void finish(FaultFiles& files, const DriverPlan& plan) {
  REQUIRE_NOTHROW(drive(files, "out", plan));
  files.restart(Survival::kNothing, 0);
  REQUIRE_NOTHROW(drive(files, "out", plan));
}

void check_nothing_lost(FaultFiles& files, const Acknowledged& acknowledged) {
  const bool any = acknowledged.window_start + acknowledged.position > 0;
  if (!any) {
    return;
  }
  const std::optional<StoreState> state = read_store(files, "out");
  REQUIRE(state);
  REQUIRE(state->progress);
  const auto found = std::pair(state->progress->window_start, state->progress->position);
  CHECK(found >= std::pair(acknowledged.window_start, acknowledged.position));
  CHECK((state->finish || !acknowledged.finished));
}

// One vector, as most have; and three outputs, of which one is of residues.
DriverPlan given_plan() {
  return GENERATE(0, 1) == 0 ? DriverPlan{} : plan_of_three_outputs();
}

}  // namespace

TEST_CASE("an error at any operation stops the run; the next one ends with the same bytes") {
  const DriverPlan plan = given_plan();
  const auto expected = uninterrupted(plan);
  for (const Fault fault : {Fault::kErrorOnce, Fault::kErrorAlways, Fault::kDiskFull}) {
    std::uint64_t tried = 0;
    for (std::uint64_t n = 0; n < kNever; ++n, ++tried) {
      // The power may go later, when the failed operation's damage is only in memory.
      for (const bool power_cut : {false, true}) {
        FaultFiles files;
        files.arm(fault, n);
        Acknowledged acknowledged;
        const bool done = survives([&] { drive(files, "out", plan, &acknowledged); });
        if (files.fired() == 0) {
          n = kNever;
          break;
        }
        INFO("operation " << n << ": " << files.trace().at(n));
        CHECK_FALSE(done);
        files.end_process();
        if (power_cut) {
          files.restart(Survival::kNothing, 0);
        }
        check_nothing_lost(files, acknowledged);
        finish(files, plan);
        REQUIRE(outputs(files) == expected);
        REQUIRE(verify_store(files, "out").good());
      }
    }
    CHECK(tried > 80);
    WARN("error kind " << static_cast<int>(fault) << ": fired at " << tried << " operations");
  }
}

TEST_CASE("a power cut at any operation costs nothing that was acknowledged") {
  const DriverPlan plan = given_plan();
  const auto expected = uninterrupted(plan);
  std::uint64_t cuts = 0;
  for (const Fault fault : {Fault::kPowerLoss, Fault::kPowerLossMid}) {
    for (std::uint64_t n = 0; n < kNever; n += kEach) {
      for (const Survival survival :
           {Survival::kNothing, Survival::kEverything, Survival::kNamesOnly, Survival::kDataOnly,
            Survival::kRandom}) {
        const unsigned seeds = survival == Survival::kRandom ? 8 : 1;
        for (unsigned seed = 0; seed < seeds && n < kNever; ++seed) {
          FaultFiles files;
          files.arm(fault, n);
          Acknowledged acknowledged;
          survives([&] { drive(files, "out", plan, &acknowledged); });
          if (files.fired() == 0) {
            n = kNever;
            break;
          }
          ++cuts;
          INFO("operation " << n << ": " << files.trace().at(n) << ", survival "
                            << static_cast<int>(survival) << ", seed " << seed);
          files.restart(survival, seed);
          check_nothing_lost(files, acknowledged);
          finish(files, plan);
          REQUIRE(outputs(files) == expected);
          REQUIRE(verify_store(files, "out").good());
        }
      }
    }
  }
  CHECK(cuts > 1000 / kEach);
  WARN("power cut " << cuts << " times");
}

TEST_CASE("power cut again and again, the run still ends with the same bytes") {
  const DriverPlan plan = given_plan();
  const auto expected = uninterrupted(plan);
  std::uint64_t cuts = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::mt19937 random(seed);
    FaultFiles files;
    Acknowledged acknowledged;
    for (bool done = false; !done;) {
      const Fault fault = random() % 4 == 0 ? Fault::kErrorOnce : Fault::kPowerLoss;
      files.arm(fault, random() % 60);
      done = survives([&] { drive(files, "out", plan, &acknowledged); });
      cuts += files.fired();
      if (fault == Fault::kErrorOnce && random() % 2 == 0) {
        files.end_process();
      } else {
        files.restart(static_cast<Survival>(random() % 5), static_cast<unsigned>(random()));
      }
      INFO("seed " << seed << " cut " << cuts);
      check_nothing_lost(files, acknowledged);
    }
    finish(files, plan);
    REQUIRE(outputs(files) == expected);
    REQUIRE(verify_store(files, "out").good());
  }
  CHECK(cuts > 100 / kEach);
  WARN("stopped " << cuts << " times");
}

TEST_CASE("after a failure the store takes nothing more") {
  FaultFiles files;
  const DriverPlan plan;
  const auto out = open_store(files, "out");
  const auto store = out->begin(plan.layout, {});
  const std::vector<float> vector(plan.layout.outputs.front().dimension);
  CHECK(store->put(0, only(vector)));
  std::uint64_t syncs = 0;
  files.arm(Fault::kErrorOnce, 2);  // writes of rows and checksums, then the first sync
  CHECK_THROWS_AS(store->commit({}), Error);
  REQUIRE(files.fired() == 1);
  REQUIRE(files.trace().back() == "sync out/embeddings.npy.partial");
  syncs = files.operations();
  CHECK_THROWS_WITH(store->commit({}), Catch::Contains("stopped after an earlier failure"));
  CHECK_THROWS_AS(store->put(1, only(vector)), Error);
  CHECK(files.operations() == syncs);
}
