#include "encode/contract.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "encode/model_checks.hpp"
#include "fakes/fake_encoder.hpp"

using namespace longhaul;
using namespace longhaul::fakes;
using namespace longhaul::encode;

namespace {

EncoderCard fake_card() {
  return parse_card(fake_card_text({{"fake", true}}), "fake");
}

Contract check(FakeEncoder& encoder, bool allowed = false) {
  return check_contract(encoder, fake_card(),
                        {.parts = encoder.rows_policy(), .allow_batch_dependent = allowed});
}

Contract check(const FakeEncoderSettings& settings, bool allowed = false) {
  FakeEncoder encoder(settings);
  return check(encoder, allowed);
}

FakeEncoderSettings with_parts() {
  FakeEncoderSettings settings;
  settings.part_tokens = 512;
  settings.rows_matter = true;
  return settings;
}

}  // namespace

TEST_CASE("a model whose vectors are their records' own is exact, in the shapes of its parts") {
  const Contract contract = check(with_parts());
  CHECK(contract.exact);
  CHECK(contract.warnings.empty());
  CHECK(contract.report.at("verdict") == "exact");
  const nlohmann::json& shapes = contract.report.at("shapes");
  REQUIRE(shapes.size() == 2);
  CHECK(shapes[0].at("rows") == 4);
  CHECK(shapes[0].at("width") == 128);
  CHECK(shapes[1].at("rows") == 64);
  CHECK(shapes[1].at("width") == 8);
  for (const nlohmann::json& shape : shapes) {
    CHECK(shape.at("repeat") == 0);
    CHECK(shape.at("neighbours") == 0);
  }
  // Other rows give other bits, which is what parts are for, and is only recorded.
  CHECK(shapes[0].at("other_rows").at("rows") == 1);
  CHECK(shapes[0].at("other_rows").at("difference") > 0);
}

TEST_CASE("where a usual record is alone in its part, neighbours are tried with short ones") {
  const plan::RowsPolicy alone{.part_tokens = 128, .rows_fixed = 0, .rungs = plan::Rungs::kFine};
  EncoderCard card = fake_card();
  card.alphabet.prepend = card.alphabet.append = 0;
  FakeEncoderSettings settings;
  FakeEncoder own(settings);
  const Contract contract = check_contract(own, card, {.parts = alone});
  const nlohmann::json& shapes = contract.report.at("shapes");
  REQUIRE(shapes.size() == 2);
  CHECK((shapes[0].at("rows") == 1 && shapes[0].at("width") == 128));
  CHECK((shapes[1].at("rows") == 16 && shapes[1].at("width") == 8));
  settings.neighbours_matter = true;
  FakeEncoder mixing(settings);
  CHECK_THROWS_AS(check_contract(mixing, card, {.parts = alone}), Error);
}

TEST_CASE("the check costs as many calls as the fakes say") {
  FakeEncoder encoder{FakeEncoderSettings()};
  CHECK(check(encoder).exact);
  CHECK(encoder.device().calls() == 3);
}

TEST_CASE("a model that draws random numbers is refused, whatever is allowed") {
  for (const bool parts : {false, true}) {
    FakeEncoderSettings settings = parts ? with_parts() : FakeEncoderSettings();
    settings.random = true;
    for (const bool allowed : {false, true}) {
      try {
        check(settings, allowed);
        FAIL("it was accepted");
      } catch (const Error& error) {
        CHECK(error.code() == ExitCode::kBadData);
        CHECK(std::string(error.what()).find("train mode") != std::string::npos);
      }
    }
  }
}

TEST_CASE("a model whose vectors depend on their neighbours is refused unless that is allowed") {
  FakeEncoderSettings settings = with_parts();
  settings.neighbours_matter = true;
  try {
    check(settings);
    FAIL("it was accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kBadData);
    CHECK(error.remedy().find("--allow-batch-dependent") != std::string::npos);
  }
  const Contract contract = check(settings, true);
  CHECK_FALSE(contract.exact);
  CHECK(contract.report.at("verdict") == "batch_dependent");
  CHECK(contract.report.at("shapes")[0].at("repeat") == 0);
  CHECK(contract.report.at("shapes")[0].at("neighbours") > 1e-3);
  CHECK(contract.warnings.size() == 2);
}

TEST_CASE("differences below the tolerance are no reason to stop, but the output is numeric") {
  FakeEncoderSettings settings = with_parts();
  settings.neighbours_matter = true;
  FakeEncoder encoder(settings);
  const Contract contract =
      check_contract(encoder, fake_card(), {.parts = encoder.rows_policy(), .tolerance = 100});
  CHECK_FALSE(contract.exact);
  CHECK(contract.report.at("verdict") == "close");
  CHECK(contract.warnings.size() == 1);
}

TEST_CASE(
    "where a part does not fit, fewer rows are tried; where nothing does, nothing is claimed") {
  FakeEncoderSettings settings = with_parts();
  settings.device.capacity_rows = 16;  // both parts of a call count
  const Contract contract = check(settings);
  CHECK(contract.exact);
  CHECK(contract.report.at("shapes")[0].at("rows") == 4);
  CHECK(contract.report.at("shapes")[1].at("rows") == 8);

  settings.device.capacity_rows = 0;
  const Contract nothing = check(settings);
  CHECK_FALSE(nothing.exact);
  CHECK(nothing.report.at("verdict") == "unchecked");
  CHECK(nothing.warnings.size() == 1);
}

TEST_CASE("the tolerance is float32's, or follows the drift of a half type") {
  CHECK(contract_tolerance(nlohmann::json::object()) == kExactTolerance);
  CHECK(contract_tolerance({{"drift", {{"relative", 0.01}}}}) == Approx(0.04));
  // A layer of large values allows no more to one of small ones.
  const auto drift = measure_drift({{1000, 500}, {1, 2}}, {{1001, 500}, {1, 2}}, Dtype::kBf16);
  CHECK(drift.at("greatest_difference") == 1);
  CHECK(contract_tolerance({{"drift", drift}}) == Approx(0.004));
}

TEST_CASE("where batches have no rows of their own, a record is tried beside neighbours too") {
  FakeEncoderSettings settings;
  settings.neighbours_matter = true;
  for (const std::uint32_t group : {0U, 1U, 5U, 100000U}) {
    FakeEncoder encoder(settings);
    ContractSettings asked{.parts = {}, .group_rows = group};
    CHECK_THROWS_AS(check_contract(encoder, fake_card(), asked), Error);
    asked.allow_batch_dependent = true;
    const nlohmann::json report = check_contract(encoder, fake_card(), asked).report;
    CHECK(report.at("verdict") == "batch_dependent");
    CHECK(report.at("shapes")[0].at("rows") == (group == 5 ? 5 : group == 100000 ? 32 : 2));
  }
}

TEST_CASE("a budget of one row hides no neighbours") {
  FakeEncoderSettings settings = with_parts();
  settings.neighbours_matter = true;
  FakeEncoder encoder(settings);
  CHECK_THROWS_AS(
      check_contract(encoder, fake_card(), {.parts = encoder.rows_policy(), .budget = 1}), Error);
}

TEST_CASE("residues drift farther than the vectors they are pooled to, and more is allowed") {
  CHECK(contract_tolerance({{"drift", {{"relative", 0.01}}}}) == Approx(0.04));
  CHECK(contract_tolerance({{"drift", {{"relative", 0.01}, {"residues", 0.1}}}}) == Approx(0.4));
  CHECK(greatest_drift({{1.0F, -0.5F}, {200.0F, 1.0F}}, {{1.0F, -0.25F}, {198.0F, 1.0F}}) ==
        Approx(0.25));
  CHECK(greatest_drift({{200.0F, 1.0F}}, {{198.0F, 1.0F}}) == Approx(0.01));
}

namespace {

// One more output, of large values that are the record's own.
class WithLargeValues : public FakeEncoder {
 public:
  using FakeEncoder::encode;
  using FakeEncoder::FakeEncoder;
  std::vector<EncodedBatch> encode(std::span<const HostBatch> parts) override {
    std::vector<EncodedBatch> encoded = FakeEncoder::encode(parts);
    for (EncodedBatch& batch : encoded) {
      EmbeddingBlock large;
      large.rows = batch.blocks.front().rows;
      large.dimension = 1;
      large.values.assign(large.rows, 1e9F);
      batch.blocks.push_back(std::move(large));
    }
    return encoded;
  }
};

}  // namespace

TEST_CASE("large values of one output hide nothing of another that depends on neighbours") {
  FakeEncoderSettings settings = with_parts();
  settings.neighbours_matter = true;
  WithLargeValues encoder(settings);
  CHECK_THROWS_AS(check_contract(encoder, fake_card(), {.parts = encoder.rows_policy()}), Error);
}
