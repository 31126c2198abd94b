#include "session/run_begin.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace longhaul;
using namespace longhaul::session;
using nlohmann::json;

TEST_CASE("choices come back from their JSON as they were", "[session]") {
  const json forms[] = {
      {{"window", 4096},
       {"order", "length"},
       {"device", "cpu"},
       {"threads", 2},
       {"encoder", {{"kernels", "onednn"}}},
       {"part_tokens", 384}},
      {{"window", 4096},
       {"order", "length"},
       {"device", "cpu"},
       {"threads", 2},
       {"encoder", {{"kernels", "own"}}},
       {"part_tokens", 128},
       {"rungs", "fine"}},
      {{"window", 64},
       {"order", "input"},
       {"device", "cuda:1"},
       {"threads", 1},
       {"encoder", nullptr},
       {"part_images", 8}},
      {{"window", 16},
       {"order", "input"},
       {"device", "mps"},
       {"threads", 1},
       {"encoder", json::object()},
       {"group_rows", 32}},
      {{"window", 16},
       {"order", "length"},
       {"device", "cpu"},
       {"threads", 1},
       {"encoder", json::object()},
       {"part_rows", 1}},
  };
  for (const json& form : forms) {
    CHECK(to_json(choices_from_json(form)) == form);
  }
}

TEST_CASE("the rows of a part follow from the choice that was made", "[session]") {
  Choices choices;
  choices.part_tokens = 384;
  CHECK(choices.rows_policy().part_tokens == 384);
  CHECK(choices.rows_policy().rungs == plan::Rungs::kEights);  // of runs before there were others
  choices.rungs = plan::Rungs::kFine;
  CHECK(choices.rows_policy().rungs == plan::Rungs::kFine);
  choices = {};
  choices.part_images = 8;
  CHECK(choices.rows_policy().rows(1) == 8);
  choices = {};
  choices.part_rows = 3;
  CHECK(choices.rows_policy().rows_fixed == 3);
}

TEST_CASE("a run's beginning comes back from its JSON, a retry's too", "[session]") {
  json form = {{"format", 1},
               {"created", "2026-01-01T00:00:00Z"},
               {"longhaul", {{"longhaul", "0.1.0"}}},
               {"fingerprint", {{"dtype", "fp32"}}},
               {"choices",
                {{"window", 16},
                 {"order", "length"},
                 {"device", "cpu"},
                 {"threads", 1},
                 {"encoder", nullptr},
                 {"part_tokens", 384}}},
               {"inputs", json::array({{{"path", "a.csv"}}})},
               {"kept_columns", {"label"}},
               {"machine", {{"device", "cpu"}}},
               {"bits_machine", {{"processor", "some"}}}};
  CHECK(to_json(run_begin_from_json(form)) == form);
  form["retry"] = {{"after", 2}, {"settings", {{"unknown", "token"}}}};
  CHECK(to_json(run_begin_from_json(form)) == form);
  form.erase("bits_machine");
  CHECK(to_json(run_begin_from_json(form)) == form);
  form.erase("choices");
  CHECK_THROWS_AS(run_begin_from_json(form), json::exception);
}
