#include "postgres/refusal.hpp"

#include <catch2/catch.hpp>

using namespace longhaul;
using namespace longhaul::postgres;

TEST_CASE("what the server refuses has the code and the remedy of its kind") {
  struct Expected {
    const char* state;
    ExitCode code;
    const char* remedy;
  };
  const Expected expected = GENERATE(values<Expected>({
      {"22021", ExitCode::kBadData, "encoding is UTF8"},
      {"22P05", ExitCode::kBadData, "encoding is UTF8"},
      {"22001", ExitCode::kMismatch, "--table"},   // too long for a column
      {"22012", ExitCode::kMismatch, "--table"},   // a trigger divides by zero
      {"23514", ExitCode::kMismatch, "--table"},   // a check
      {"44000", ExitCode::kMismatch, "--table"},   // a check of a view
      {"0A000", ExitCode::kMismatch, "--table"},   // what such a table cannot do
      {"54000", ExitCode::kMismatch, "--table"},   // too large for an index
      {"P0001", ExitCode::kMismatch, "--table"},   // a trigger refuses
      {"42501", ExitCode::kUnavailable, "GRANT"},  // not 42 alone
      {"25006", ExitCode::kUnavailable, "can be written to"},
      {"57014", ExitCode::kUnavailable, "statement_timeout"},
      {"55P03", ExitCode::kUnavailable, "lock_timeout"},
      {"53100", ExitCode::kIo, "free some space"},
      {"40P01", ExitCode::kUnavailable, "the same command goes on"},
      {"53200", ExitCode::kUnavailable, "the same command goes on"},
      {"", ExitCode::kUnavailable, "the same command goes on"},
  }));
  CAPTURE(expected.state);
  const Refused refused = refusal(expected.state, "words");
  CHECK(refused.code() == expected.code);
  CHECK_THAT(refused.remedy(), Catch::Contains(expected.remedy));
  CHECK(refused.what() == std::string("words"));
  CHECK(refused.state() == expected.state);
}

TEST_CASE("states that are looked at by themselves") {
  CHECK(is_there_already("42P07"));
  CHECK(is_there_already("23505"));
  CHECK_FALSE(is_there_already("42P01"));
  CHECK(is_lost("57P01"));
  CHECK(is_lost("08006"));
  CHECK_FALSE(is_lost(kCancelled));
}
