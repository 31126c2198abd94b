#include "encode/model_checks.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.hpp"
#include "encode/golden.hpp"
#include "encoders.hpp"
#include "models.hpp"
#include "torch/encoder/torchscript_encoder.hpp"

using namespace longhaul;
using namespace longhaul::torch_room;
using namespace longhaul::torch_room::test;
using Catch::Matchers::Contains;

namespace {

class Recorder : public Log {
 public:
  void write(LogLevel level, const std::string& message) override {
    if (level == LogLevel::kWarning) {
      warnings += message;
    }
  }
  std::string warnings;
};

}  // namespace

TEST_CASE("golden vectors of every form of output come out") {
  for (const char* name :
       {"plain", "tuple", "dict", "other_method", "counting", "image_pooled", "image_map"}) {
    INFO(name);
    const auto encoder = encoder_for(name);
    const auto golden = encoder->report().at("golden");
    CHECK(golden.at("checked").get<int>() >= 1);
    CHECK(golden.at("greatest_difference").get<double>() < 1e-5);
    CHECK(encoder->outputs().front().dimension ==
          (std::string(name).starts_with("image") ? 8 : 16));
  }
}

TEST_CASE("a module that changes itself still runs") {
  CHECK(encoder_for("plain")->report().at("frozen") == true);
  const auto encoder = encoder_for("counting");
  const encode::HostBatch batch = batch_of({1, 2}, 24);
  CHECK(values_of(encoder->encode(batch)) == values_of(encoder_for("plain")->encode(batch)));
}

TEST_CASE("a card without golden vectors is said to be unchecked") {
  Recorder log;
  const auto encoder = make_encoder(options_for("unchecked"), log);
  CHECK(encoder->report().at("golden") == "unchecked");
  CHECK_THAT(log.warnings, Contains("unchecked"));
}

TEST_CASE("a record's bits are its own in a part of given rows: any neighbours, dummies, threads") {
  NullLog log;
  encode::EncoderOptions options = options_for("plain");
  options.cpu_kernels = GENERATE("mkl", "onednn");
  options.dtype = GENERATE(Dtype::kFp32, Dtype::kBf16, Dtype::kFp16);
  const std::uint32_t rows = GENERATE(1U, 2U, 3U, 8U, 25U);
  INFO(options.cpu_kernels << " " << to_string(options.dtype) << ", " << rows << " rows");
  constexpr std::uint32_t kRecords = 25;
  std::vector<std::vector<float>> expected;
  for (const std::uint32_t threads : {1U, 2U}) {
    options.threads = threads;
    const auto encoder = make_encoder(options, log);
    if (expected.empty()) {
      for (std::uint32_t seed = 0; seed < kRecords; ++seed) {
        expected.push_back(row_of(encoder->encode(filled(batch_of({seed}, 40), rows)), 0));
      }
    }
    // Two rounds of parts: the second puts each record beside others, at another place.
    for (const std::uint32_t shift : {0U, 7U}) {
      std::vector<encode::HostBatch> parts;
      std::vector<std::uint32_t> order;
      for (std::uint32_t start = 0; start < kRecords; start += rows) {
        std::vector<std::uint32_t> seeds;
        for (std::uint32_t i = start; i < std::min(start + rows, kRecords); ++i) {
          seeds.push_back((i * (shift + 1)) % kRecords);
        }
        order.insert(order.end(), seeds.begin(), seeds.end());
        parts.push_back(filled(batch_of(seeds, 40), rows));
      }
      std::size_t at = 0;
      for (const encode::EncodedBatch& encoded : encoder->encode(parts)) {
        for (std::uint32_t i = 0; i < encoded.blocks.front().rows; ++i, ++at) {
          const std::vector<float> row = row_of(encoded, i);
          INFO("threads " << threads << " shift " << shift << " record " << order[at]);
          CHECK(std::memcmp(row.data(), expected[order[at]].data(), row.size() * sizeof(float)) ==
                0);
        }
      }
      CHECK(at == kRecords);
    }
  }
  CHECK(expected[0] != expected[1]);
}

TEST_CASE("dummy rows give no vectors and change none") {
  const auto encoder = encoder_for("plain");
  const encode::EncodedBatch among_others = encoder->encode(batch_of({5, 6, 7, 8}, 32));
  const encode::EncodedBatch among_dummies = encoder->encode(filled(batch_of({5, 6}, 32), 4));
  CHECK(among_dummies.blocks.front().rows == 2);
  CHECK(row_of(among_dummies, 0) == row_of(among_others, 0));
  CHECK(row_of(among_dummies, 1) == row_of(among_others, 1));
}

TEST_CASE("pooling and normalising are the run's, not the card's") {
  NullLog log;
  encode::EncoderOptions options = options_for("plain");
  const encode::HostBatch batch = batch_of({1, 2, 3}, 24);
  const encode::EncodedBatch mean = make_encoder(options, log)->encode(batch);
  options.normalize = Normalize::kL2;
  const encode::EncodedBatch unit = make_encoder(options, log)->encode(batch);
  const auto row = row_of(unit, 1);
  CHECK(std::inner_product(row.begin(), row.end(), row.begin(), 0.0) == Approx(1));
  options.normalize = Normalize::kNone;
  for (const Pooling pooling : {Pooling::kCls, Pooling::kMax, Pooling::kMeanCompat}) {
    options.pooling = pooling;
    CHECK(values_of(make_encoder(options, log)->encode(batch)) != values_of(mean));
  }
}

TEST_CASE("bf16 stays near float32 and says how near") {
  NullLog log;
  encode::EncoderOptions options = options_for("plain");
  options.dtype = Dtype::kBf16;
  const auto encoder = make_encoder(options, log);
  const auto drift = encoder->report().at("drift");
  CHECK(drift.at("vectors") == 2);
  CHECK(drift.at("least_cosine").get<double>() > 0.999);
  CHECK(drift.at("greatest_difference").get<double>() > 1e-6);  // it really ran in bf16
  CHECK(encoder->report().at("golden").at("greatest_difference").get<double>() < 1e-5);
}

TEST_CASE("a model that overflows float16 is refused there and runs in float32") {
  encode::EncoderOptions options = options_for("large");
  NullLog log;
  CHECK_NOTHROW(make_encoder(options, log));
  options.dtype = Dtype::kFp16;
  CHECK_THAT(refusal(options), Contains("fp16") && Contains("0.999"));
}

TEST_CASE("models that break their card are refused before anything is embedded") {
  CHECK_THAT(refusal(options_for("wrong_golden")),
             Contains("golden vector 2") && Contains("0.001"));
  CHECK_THAT(refusal(options_for("width_of_batch")), Contains("11 dimensions, the card says 10"));
  CHECK_THAT(refusal(options_for("token_numbers")), Contains("Long"));
  CHECK_THAT(refusal(options_for("no_card")), Contains("no card"));
}

TEST_CASE("a card that does not fit the module is refused with the reason") {
  const encode::ModelFile read = read_torchscript_model(model_path("tuple"));
  const auto changed = [&](auto change) {
    encode::ModelFile model = read;
    change(model.card);
    NullLog log;
    try {
      make_encoder(model, options_for("tuple"), log);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::kBadData);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  CHECK(changed([](encode::EncoderCard&) {}) == "accepted");
  CHECK_THAT(changed([](encode::EncoderCard& card) { card.outputs[0].key.reset(); }),
             Contains("output_key"));
  CHECK_THAT(changed([](encode::EncoderCard& card) { card.outputs[0].key = 2; }),
             Contains("Tuple of 2"));
  CHECK_THAT(changed([](encode::EncoderCard& card) { card.outputs[0].key = "x"; }),
             Contains("Tuple"));
  CHECK_THAT(changed([](encode::EncoderCard& card) { card.method = "encode"; }),
             Contains("forward"));
  CHECK_THAT(changed([](encode::EncoderCard& card) { card.outputs[0].kind = OutputKind::kPooled; }),
             Contains("output 'pooled' has 2 dimensions"));
  CHECK_THAT(changed([](encode::EncoderCard& card) { card.inputs.pop_back(); }), Contains("mask"));
  CHECK_THAT(changed([](encode::EncoderCard& card) { card.inputs.push_back(card.inputs[1]); }),
             Contains("takes 2 inputs; the card lists 3"));
}

TEST_CASE("a truncated archive, at any point, is one line and 65") {
  std::ifstream whole(model_path("plain"), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(whole)), {});
  REQUIRE(bytes.size() > 10000);
  const auto path = std::filesystem::temp_directory_path() / "longhaul_truncated.ts";
  for (const double share : {0.0, 0.01, 0.5, 0.99, 0.9999}) {
    INFO(share);
    std::ofstream(path, std::ios::binary)
        << bytes.substr(0, static_cast<std::size_t>(share * static_cast<double>(bytes.size())));
    encode::EncoderOptions options = options_for("plain");
    options.model_path = path.string();
    CHECK_THAT(refusal(options), Contains(share > 0 ? "archive" : "empty"));
  }
  std::filesystem::remove(path);
}

TEST_CASE("a pinned model is taken, any other refused") {
  encode::EncoderOptions options = options_for("plain");
  const std::string hash = read_torchscript_model(options.model_path).sha256();
  CHECK(hash.size() == 64);
  options.model_sha256 = hash;
  NullLog log;
  CHECK_NOTHROW(make_encoder(options, log));
  options.model_path = model_path("dict");
  CHECK_THAT(refusal(options), Contains("pinned"));
}

TEST_CASE("out of memory inside TorchScript is told from a model that fails") {
  NullLog log;
  const encode::HostBatch few = batch_of({1, 2, 3}, 24);
  const encode::HostBatch many = batch_of({1, 2, 3, 4, 5, 6, 7, 8, 9}, 24);
  const auto greedy = encoder_for("greedy");
  const auto before = values_of(greedy->encode(few));
  const auto live = greedy->device().memory().allocated;
  CHECK_THROWS_AS(greedy->encode(many), DeviceOutOfMemory);
  CHECK(greedy->device().memory().allocated == live);  // nothing of the failed call is held
  CHECK(values_of(greedy->encode(few)) == before);
  const auto failing = encoder_for("failing");
  CHECK_NOTHROW(failing->encode(few));
  try {
    failing->encode(many);
    FAIL("no failure");
  } catch (const DeviceOutOfMemory&) {
    FAIL("taken for out of memory");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kBadData);
    CHECK_THAT(error.what(), Contains("too many rows for me"));
  }
}

TEST_CASE("live bytes return to where they were after every batch") {
  const auto encoder = encoder_for("plain");
  encoder->encode(batch_of({1}, 16));
  const auto live = encoder->device().memory().allocated;
  REQUIRE(live);
  CHECK(*live > 10000);  // the weights
  for (std::uint32_t i = 0; i < 20; ++i) {
    encoder->encode(batch_of({i, i + 1, i + 2}, 16 + 8 * (i % 4)));
    CHECK(encoder->device().memory().allocated == live);
  }
}
