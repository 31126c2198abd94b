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
  CHECK(log.warnings()[2].find("; correct the sequence, then embed into another --output or with "
                               "--overwrite (said once; rejects.csv lists them all)") !=
        std::string::npos);
}

TEST_CASE("what a retry helps needs no other output") {
  RecordingLog log;
  RejectPolicy policy({}, 0, 0, log);
  policy.rejected(sequence_record(0, "ACD"), {Reason::kTooLong, "3 residues; the limit is 2"});
  policy.rejected(sequence_record(1, "ACD"), {Reason::kTooManyPixels, "4 pixels, more than 3"});
  policy.rejected(sequence_record(2, "ACD"), {Reason::kOutOfMemory, "does not fit alone"});
  REQUIRE(log.warnings().size() == 3);
  for (const std::string& warning : log.warnings()) {
    CAPTURE(warning);
    CHECK(warning.find("--retry-rejects") != std::string::npos);
    CHECK(warning.find("--overwrite") == std::string::npos);
  }
}

TEST_CASE("an id that is the record's number is said once") {
  RecordingLog log;
  RejectPolicy policy({}, 0, 0, log);
  Record record = sequence_record(4, "");
  record.id = "4";
  policy.rejected(record, {Reason::kEmpty, "no residues"});
  REQUIRE(log.warnings().size() == 1);
  CHECK(log.warnings()[0].find("record 4, memory line 6") != std::string::npos);
}

TEST_CASE("the first record that looks like nucleotides is named, once") {
  RecordingLog log;
  RejectPolicy policy({}, 0, 0, log);
  policy.accepted_as_nucleotides(sequence_record(4, "ACGT"));
  policy.accepted_as_nucleotides(sequence_record(5, "ACGT"));
  REQUIRE(log.warnings().size() == 1);
  CHECK(log.warnings()[0].find("record 4 (r4), memory line 6: looks like DNA or RNA") == 0);
}

TEST_CASE("a limit of a share is said as it was given") {
  NullLog log;
  for (const auto& [percent, said] : {std::pair(1.0, "limit of 1 %"), {0.25, "limit of 0.25 %"}}) {
    const RejectPolicy policy({.count = {}, .percent = percent}, 0, 0, log);
    try {
      policy.finish(1000, 500);
      FAIL("not above the limit");
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find(said) != std::string::npos);
      CHECK(error.remedy().find("into another --output or with --overwrite") != std::string::npos);
    }
  }
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
