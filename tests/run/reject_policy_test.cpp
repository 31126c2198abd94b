#include "run/reject_policy.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "domain/counters.hpp"
#include "fakes/recording_log.hpp"
#include "fakes/vector_reader.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::run;

namespace {
const Defect kGap{Reason::kInvalidCharacter, "'-' (a gap) at residue 3 of 9", "use --gaps remove"};
}  // namespace

TEST_CASE("the first reject of each reason and remedy is said, later ones are counted") {
  RecordingLog log;
  RejectPolicy policy({}, 0, 0, log);
  policy.rejected(sequence_record(4, "AC-D"), kGap);
  policy.rejected(sequence_record(5, "AC-D"), kGap);
  policy.rejected(sequence_record(6, ""), {Reason::kEmpty, "no residues"});
  policy.rejected(sequence_record(7, "A?D"), {Reason::kInvalidCharacter, "'?' at residue 2 of 3"});
  CHECK(policy.rejected_count() == 4);
  REQUIRE(log.warnings().size() == 3);
  CHECK(log.warnings()[0].find("record 4 (r4), memory line 6") != std::string::npos);
  CHECK(log.warnings()[0].find("use --gaps remove") != std::string::npos);
  CHECK(log.warnings()[2].find("; correct the sequence") != std::string::npos);
}

TEST_CASE("a count of rejects stops the run one above the limit") {
  NullLog log;
  RejectPolicy policy({.count = 1, .percent = {}}, 0, 0, log);
  policy.rejected(sequence_record(0, ""), kGap);
  CHECK_THROWS_AS(policy.rejected(sequence_record(1, ""), kGap), Error);
}

TEST_CASE("a share of rejects is judged from 1,000 records on, and at the end") {
  NullLog log;
  RejectPolicy policy({.count = {}, .percent = 10.0}, 0, 0, log);
  for (std::uint64_t i = 0; i < 500; ++i) {
    policy.rejected(sequence_record(i, ""), kGap);
  }
  CHECK_THROWS_AS(policy.finish(500, 500), Error);
  CHECK_THROWS_AS(policy.finish(999, 100), Error);
  CHECK_NOTHROW(policy.finish(1000, 100));
  RejectPolicy grown({.count = {}, .percent = 10.0}, 999, 100, log);
  CHECK_THROWS_AS(grown.rejected(sequence_record(1000, ""), kGap), Error);
}

TEST_CASE("what earlier sessions rejected counts") {
  NullLog log;
  RejectPolicy policy({.count = 2, .percent = {}}, 100, 2, log);
  CHECK_THROWS_AS(policy.rejected(sequence_record(100, ""), kGap), Error);
}

TEST_CASE("a limit that earlier sessions are above stops a session before it begins") {
  NullLog log;
  CHECK_THROWS_AS(RejectPolicy({.count = 2, .percent = {}}, 100, 3, log).start(), Error);
  CHECK_NOTHROW(RejectPolicy({.count = 3, .percent = {}}, 100, 3, log).start());
  CHECK_NOTHROW(RejectPolicy({.count = {}, .percent = 1.0}, 999, 500, log).start());
  CHECK_THROWS_AS(RejectPolicy({.count = {}, .percent = 1.0}, 1000, 500, log).start(), Error);
}

TEST_CASE("what is rejected late in a window in hand counts when a session goes on") {
  const std::vector<LateOutcome> late = {
      {.row = 1, .status = Status::kRejected, .defect = kGap, .duplicate_of = {}, .hash = {}},
      {.row = 2, .status = Status::kDuplicate, .defect = {}, .duplicate_of = 0, .hash = {}}};
  Counters counters;
  counters.rejected = 4;
  CHECK(rejected_so_far(counters, late) == 5);
}
