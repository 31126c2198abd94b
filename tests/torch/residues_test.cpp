#include "models.hpp"
// LibTorch's own CHECK ends the process.
#undef CHECK

#include <catch2/catch.hpp>

#include "torch/encoder/torchscript_encoder.hpp"

using namespace longhaul;
using namespace longhaul::torch_room;
using namespace longhaul::torch_room::test;

TEST_CASE("residues are the states that the mean is made of, each record's its own") {
  NullLog log;
  encode::EncoderOptions options = options_for("plain");
  options.tokens = true;
  options.dtype = GENERATE(Dtype::kFp32, Dtype::kBf16);
  const auto encoder = make_encoder(options, log);
  REQUIRE(encoder->outputs().size() == 2);
  CHECK(encoder->outputs()[1] == OutputSpec{.name = "tokens",
                                            .kind = ArrayKind::kTokens,
                                            .dimension = 16,
                                            .dtype = OutputDtype::kFp32});
  const encode::HostBatch batch = filled(batch_of({1, 2, 3}, 24), 4);
  const encode::EncodedBatch encoded = encoder->encode(batch);
  REQUIRE(encoded.blocks.size() == 2);
  const encode::EmbeddingBlock& tokens = encoded.blocks[1];
  REQUIRE(tokens.firsts.size() == 4);
  for (std::uint32_t row = 0; row < 3; ++row) {
    const auto states = tokens.row(row);
    const std::size_t residues = batch.lengths[row] - 2;  // without its first and last token
    REQUIRE(states.size() == residues * 16);
    for (std::size_t d = 0; d < 16; ++d) {
      double sum = 0;
      for (std::size_t i = 0; i < residues; ++i) {
        sum += double{states[i * 16 + d]};
      }
      CHECK(static_cast<float>(sum / static_cast<double>(residues)) ==
            encoded.blocks[0].row(row)[d]);
    }
  }
  const encode::EncodedBatch beside_others = encoder->encode(batch_of({7, 3, 8, 9}, 24));
  const auto here = tokens.row(2);
  const auto there = beside_others.blocks[1].row(1);
  CHECK(std::equal(here.begin(), here.end(), there.begin(), there.end()));
}
