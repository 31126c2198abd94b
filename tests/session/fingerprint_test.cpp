#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "fakes/fake_encoder.hpp"
#include "session/encoder_options.hpp"
#include "session/run_identity.hpp"

using namespace longhaul;
using namespace longhaul::session;
using nlohmann::json;

namespace {

// Another value than the default, for every setting there is.
const std::map<std::string_view, std::string> kOther{
    {"format", "csv"},
    {"files-from", "list.txt"},
    {"sequence-column", "heavy"},
    {"id-column", "name"},
    {"keep-column", "label"},
    {"skip-lines", "2"},
    {"delimiter", ";"},
    {"allow-nucleotides", "true"},
    {"output", "elsewhere"},
    {"output-dtype", "fp16"},
    {"layer", "a"},
    {"tokens", "true"},
    {"tokens-dtype", "fp32"},
    {"overwrite", "true"},
    {"reuse", "older"},
    {"reuse-by", "content"},
    {"update", "true"},
    {"commit-every", "9s"},
    {"time-limit", "2h"},
    {"json", "true"},
    {"pooling", "max"},
    {"normalize", "l2"},
    {"dtype", "bf16"},
    {"max-length", "77"},
    {"too-long", "truncate"},
    {"window-overlap", "0"},
    {"unknown", "token"},
    {"gaps", "remove"},
    {"allow-batch-dependent", "true"},
    {"card", "card.json"},
    {"model-sha256", std::string(64, 'a')},
    {"batch-size", "7"},
    {"batch-tokens", "700"},
    {"window", "128"},
    {"order", "input"},
    {"device", "cuda"},
    {"threads", "3"},
    {"workers", "3"},
    {"clear-cache-every", "3"},
    {"memory-limit", "3GiB"},
    {"device-memory-limit", "3GiB"},
    {"max-rejects", "3"},
    {"strict", "true"},
    {"retry-rejects", "true"},
    {"skip-duplicates", "exact"},
    {"max-pixels", "1000"},
    {"fast-decode", "true"},
    {"progress", "none"},
    {"log-level", "debug"},
    {"log-file", "log.txt"},
    {"quiet", "true"},
    {"on-leak", "stop"},
    {"recycle-every", "9"},
    {"shard", "2/3"},
    {"processes", "2"},
    {"metrics-file", "m.prom"},
    {"mps-high-watermark", "1.5"},
    {"cpu-kernels", "mkl"},
    {"cpu-isa", "avx2"},
    {"cpu-passes", "none"},
};

json fingerprint_of(const config::RunConfig& config, Modality modality) {
  json text = json::parse(fakes::fake_card_text({{"fake", true}}));
  for (const char* name : {"output", "output_key", "dimension"}) {
    text.erase(name);
  }
  text["card"] = 2;
  for (const char* name : {"a", "b"}) {
    text["outputs"].push_back(
        {{"name", name}, {"kind", "tokens"}, {"dimension", 8}, {"default", *name == 'b'}});
  }
  encode::EncoderCard card = encode::parse_card(text.dump(), "the fake's card");
  card.modality = modality;
  const encode::EncoderOptions options = encoder_options(config, card, 1);
  return fingerprint(config, card, options, "model",
                     config.device == "auto" ? "cpu" : config.device);
}

}  // namespace

TEST_CASE("the fingerprint follows from the table of settings", "[session]") {
  using config::MakesNumbers;
  for (const Modality modality : {Modality::kSequence, Modality::kImage}) {
    for (const bool compat : {false, true}) {
      config::RunConfig before;
      if (compat) {
        before.pooling = Pooling::kMeanCompat;
      }
      for (const config::Setting& setting : config::settings_table()) {
        INFO(setting.name);
        REQUIRE(kOther.contains(setting.name));
        config::RunConfig after = before;
        setting.set(after, kOther.at(setting.name));
        const bool makes =
            setting.makes_numbers == MakesNumbers::kYes ||
            (setting.makes_numbers == MakesNumbers::kOfImages && modality == Modality::kImage) ||
            (setting.makes_numbers == MakesNumbers::kOfMeanCompat && compat);
        const json recorded = fingerprint_of(before, modality);
        const json now = fingerprint_of(after, modality);
        CHECK((recorded != now) == makes);
        CHECK(same_fingerprint(recorded, now) == !makes);
        if (makes) {
          CHECK_THROWS_AS(require_same_fingerprint(recorded, now, "out"), Error);
          CHECK_THROWS_AS(require_same_fingerprint(now, recorded, "out"), Error);
        }
      }
    }
  }
}

TEST_CASE("what an earlier version did not record was left at its default", "[session]") {
  config::RunConfig config;
  json recorded = fingerprint_of(config, Modality::kImage);
  for (const char* name :
       {"skip-lines", "gaps", "max-pixels", "skip-duplicates", "tokens", "window-overlap"}) {
    recorded.erase(name);
  }
  CHECK_NOTHROW(
      require_same_fingerprint(recorded, fingerprint_of(config, Modality::kImage), "out"));
  CHECK(same_fingerprint(recorded, fingerprint_of(config, Modality::kImage)));
  config.skip_lines = 3;
  CHECK_FALSE(same_fingerprint(recorded, fingerprint_of(config, Modality::kImage)));
  CHECK_THROWS_AS(
      require_same_fingerprint(recorded, fingerprint_of(config, Modality::kImage), "out"), Error);
}
