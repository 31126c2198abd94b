// The CPU kernels and graph passes of an encoder: how they are chosen, and that they move only
// bits.
#include "encode/model_checks.hpp"
#include "torch/graph/kernel_choice.hpp"
// LibTorch's own CHECK ends the process.
#undef CHECK

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "encoders.hpp"
#include "kernels/isa.hpp"
#include "models.hpp"
#include "torch/encoder/torchscript_encoder.hpp"

using namespace longhaul;
using namespace longhaul::torch_room;
using namespace longhaul::torch_room::test;

namespace {

// What an encoder with the fused kernels chooses by itself on this machine.
nlohmann::json fused_choices() {
  return {{"kernels", "onednn"},
          {"isa", to_string(kernels::best_isa())},
          {"passes", "merge,linear,rotation,attention,convolution,norm"}};
}

}  // namespace

TEST_CASE(
    "the kernels' instruction set is chosen by hand, kept for a resume, and moves only bits") {
  NullLog log;
  const encode::HostBatch batch = batch_of({1, 2, 3, 4, 5}, 40);
  encode::EncoderOptions options = options_for("plain");
  options.cpu_kernels = "onednn";
  const auto best = values_of(make_encoder(options, log)->encode(batch));
  for (const kernels::Isa isa : kernels::kIsas) {
    options.cpu_isa = to_string(isa);
    options.choices = nullptr;
    INFO(options.cpu_isa);
    if (!kernels::machine_has(isa)) {
      CHECK(refusal(options, ExitCode::kUsage).find("--cpu-isa " + options.cpu_isa) == 0);
      continue;
    }
    const auto by_hand = make_encoder(options, log);
    CHECK(by_hand->choices()["isa"] == options.cpu_isa);
    const auto values = values_of(by_hand->encode(batch));
    for (std::size_t i = 0; i < values.size(); ++i) {
      REQUIRE(values[i] == Approx(best[i]).margin(2e-5));
    }
    options.cpu_isa = "auto";
    options.choices = by_hand->choices();
    const auto resumed = make_encoder(options, log);
    CHECK(resumed->choices() == by_hand->choices());
    CHECK(values_of(resumed->encode(batch)) == values);
  }
}

TEST_CASE("each graph pass can be left out, is kept for a resume, and moves only bits") {
  NullLog log;
  const encode::HostBatch batch = batch_of({1, 2, 3, 4, 5}, 40);
  encode::EncoderOptions options = options_for("plain");
  options.cpu_kernels = "onednn";
  const auto all = values_of(make_encoder(options, log)->encode(batch));
  for (const std::string passes : {"none", "merge", "linear", "attention", "attention,merge"}) {
    INFO(passes);
    options.cpu_passes = passes;
    options.choices = nullptr;
    const auto chosen = make_encoder(options, log);
    CHECK(chosen->choices()["passes"] ==
          (passes == "attention,merge" ? "merge,attention" : passes));
    const nlohmann::json found = chosen->report()["kernels"]["fused"];
    CHECK(found.contains("linear") == (passes == "linear"));
    CHECK(found.contains("merged") == (passes.find("merge") != std::string::npos));
    CHECK(found.contains("attention") == (passes.find("attention") != std::string::npos));
    const auto values = values_of(chosen->encode(batch));
    for (std::size_t i = 0; i < values.size(); ++i) {
      REQUIRE(values[i] == Approx(all[i]).margin(2e-5));
    }
    options.cpu_passes = "all";
    options.choices = chosen->choices();
    CHECK(values_of(make_encoder(options, log)->encode(batch)) == values);
  }
  options.choices = nullptr;
  options.cpu_passes = "merge,lineal";
  CHECK(refusal(options, ExitCode::kUsage).find("'lineal'") != std::string::npos);
}

TEST_CASE("fused CPU kernels change rounding only, and are found in every form of model") {
  NullLog log;
  const encode::HostBatch batch = batch_of({1, 2, 3, 4, 5}, 40);
  for (const char* name : {"plain", "tuple", "dict", "other_method", "unchecked"}) {
    INFO(name);
    encode::EncoderOptions options = options_for(name);
    const encode::ModelFile model = read_torchscript_model(model_path(name));
    options.cpu_kernels = "mkl";
    const auto plain = make_encoder(model, options, log);
    CHECK(plain->choices() == nlohmann::json({{"kernels", "mkl"}}));
    options.cpu_kernels = "onednn";
    const auto fused = make_encoder(model, options, log);
    CHECK(fused->choices() == fused_choices());
    // Two layers: query, key and value become one product; gelu and both residual sums are fused.
    CHECK(
        fused->report()["kernels"]["fused"] ==
        nlohmann::json({{"merged", 6}, {"linear", 8}, {"gelu", 2}, {"add", 4}, {"attention", 2}}));
    const auto expected = values_of(plain->encode(batch));
    const auto actual = values_of(fused->encode(batch));
    REQUIRE(actual.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(actual[i] == Approx(expected[i]).margin(1e-5));
    }
  }
}

TEST_CASE("an earlier session's choice of kernels is taken over") {
  NullLog log;
  encode::EncoderOptions options = options_for("plain");
  for (const std::string kernels : {"mkl", "onednn"}) {
    options.choices = {{"kernels", kernels}};
    const auto encoder = make_encoder(options, log);
    CHECK(encoder->choices()["kernels"] == kernels);
  }
}

TEST_CASE("convolutions are packed, their sums and relus fused, and each image keeps its bits") {
  NullLog log;
  const encode::ModelFile model = read_torchscript_model(model_path("image_residual"));
  const auto images = [&](const std::vector<std::uint32_t>& seeds) {
    return filled(probe_batch(model.card, 1, seeds), plan::kCpuPartImages);
  };
  const std::vector<encode::HostBatch> batch = {images({0, 1, 2, 3}), images({4, 5, 6})};
  const auto values = [](const std::vector<encode::EncodedBatch>& encoded) {
    std::vector<float> all;
    for (const encode::EncodedBatch& part : encoded) {
      all.insert(all.end(), values_of(part).begin(), values_of(part).end());
    }
    return all;
  };
  encode::EncoderOptions options = options_for("image_residual");
  options.cpu_kernels = "mkl";
  const auto expected = values(make_encoder(model, options, log)->encode(batch));
  options.cpu_kernels = GENERATE("auto", "onednn");
  const auto encoder = make_encoder(model, options, log);
  CHECK(encoder->choices() == fused_choices());
  CHECK(encoder->rows_policy().rows(1) == plan::kCpuPartImages);
  // The last sum is with numbers that are not of the result's shape.
  CHECK(encoder->report()["kernels"]["fused"] ==
        nlohmann::json({{"convolution", 7}, {"add", 3}, {"relu", 6}}));
  const std::vector<float> actual = values(encoder->encode(batch));
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(actual[i] == Approx(expected[i]).margin(1e-5));
  }
  const std::vector<encode::HostBatch> otherwise = {images({0}), images({1, 2}),
                                                    images({3, 4, 5, 6})};
  CHECK(values(encoder->encode(otherwise)) == actual);
}

TEST_CASE("kernels follow from what there is, never from a clock") {
  const std::vector<LinearShape> products = {{64, 64, 4, c10::kFloat}};
  for (const kernels::Isa isa : kernels::kIsas) {
    CHECK(choose_kernels("auto", products, false, isa) == "onednn");
    CHECK(choose_kernels("own", products, false, isa) == "onednn");
    CHECK(choose_kernels("auto", {}, false, isa) == "mkl");
    CHECK(choose_kernels("auto", {}, true, isa) == "onednn");
    CHECK(choose_kernels("onednn", {}, false, isa) == "mkl");
    CHECK(choose_kernels("mkl", products, true, isa) == "mkl");
  }
  const std::vector<LinearShape> halves = {{64, 64, 4, c10::kBFloat16}};
  const auto isa = kernels::Isa::kAvx512Bf16;
  CHECK(choose_kernels("own", halves, false, isa) == "own");
  CHECK(choose_kernels("auto", halves, false, isa) ==
        (kernels::has_matrix_units() ? "onednn" : "own"));
  CHECK(choose_kernels("onednn", halves, false, isa) != "own");
  CHECK(choose_kernels("mkl", halves, false, isa) == "mkl");
  CHECK(choose_kernels("own", halves, false, kernels::Isa::kAvx512) != "own");
}

TEST_CASE("our products and norms move bfloat16 vectors by its rounding only") {
  if (!kernels::machine_has(kernels::Isa::kAvx512Bf16)) {
    WARN("skipped: this machine has no bfloat16 products");
    return;
  }
  NullLog log;
  const encode::HostBatch batch = batch_of({1, 2, 3, 4, 5}, 40);
  encode::EncoderOptions options = options_for("plain");
  const auto exact = values_of(make_encoder(options, log)->encode(batch));
  options.dtype = Dtype::kBf16;
  options.cpu_kernels = "own";
  const auto own = make_encoder(options, log);
  CHECK(own->choices()["kernels"] == "own");
  CHECK(own->rows_policy().rungs == plan::Rungs::kFine);
  const nlohmann::json found = own->report()["kernels"]["fused"];
  CHECK(found["linear"] == 8);
  CHECK(found["norm"] > 0);
  const auto values = values_of(own->encode(batch));
  REQUIRE(values.size() == exact.size());
  double most = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    most = std::max(most, std::abs(double{values[i]} - double{exact[i]}));
  }
  CHECK(most > 0);
  CHECK(most < 0.05);
  // A record computed alone has the bits that it has beside others.
  const std::size_t width = exact.size() / 5;
  const auto alone = values_of(own->encode(batch_of({3}, 40)));
  CHECK(std::equal(alone.begin(), alone.end(), values.begin() + static_cast<long>(2 * width)));
  options.choices = own->choices();
  options.cpu_kernels = "auto";
  CHECK(values_of(make_encoder(options, log)->encode(batch)) == values);
}

TEST_CASE("fused kernels hold less memory than the plain ones and packed copies together") {
  NullLog log;
  encode::EncoderOptions options = options_for("plain");
  options.cpu_kernels = "mkl";
  const auto plain = make_encoder(options, log)->device().memory().allocated;
  options.cpu_kernels = "onednn";
  const auto fused = make_encoder(options, log)->device().memory().allocated;
  REQUIRE(plain);
  REQUIRE(fused);
  CHECK(*fused < 2 * *plain);  // small weights are padded, but none is held twice
}
