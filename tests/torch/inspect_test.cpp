#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "encode/card.hpp"
#include "models.hpp"
#include "torch/encoder/inspect_module.hpp"
#include "torch/encoder/torchscript_encoder.hpp"

using namespace longhaul;
using namespace longhaul::torch_room;
using namespace longhaul::torch_room::test;
using nlohmann::json;

TEST_CASE("a module's parameters, methods and inputs are told") {
  const json told = describe_module(model_path("other_method"), "encode");
  CHECK(told.at("parameters").get<int>() > 10000);
  CHECK(told.at("types") == json({"Float"}));
  CHECK(told.at("methods").dump().find("encode") != std::string::npos);
  CHECK(told.at("inputs").size() == 4);
  CHECK(told.at("inputs")[0] == "Tensor tokens");
}

TEST_CASE("a draft of a sequence model's card says what trying it tells") {
  const json card = draft_card(model_path("no_card"));
  CHECK(card.at("modality") == "sequence");
  CHECK(card.at("inputs").size() == 2);
  CHECK(card.at("inputs")[1].at("kind") == "mask");
  CHECK(card.at("output") == "tokens");
  CHECK(card.at("dimension") == 16);
  CHECK(card.at("max_tokens") == 512);
  CHECK(card.at("alphabet").at("tokens").size() == 24);  // as many as the model has embeddings
  CHECK(card.at("alphabet").at("tokens")[7].is_null());
}

TEST_CASE("a draft finds the part of a tuple, a dict or an image model's output") {
  CHECK(draft_card(model_path("tuple")).at("output_key") == 1);
  CHECK(draft_card(model_path("dict")).at("output_key") == "states");
  const json image = draft_card(model_path("image_map"));
  CHECK(image.at("modality") == "image");
  CHECK(image.at("output") == "map");
  CHECK(image.at("dimension") == 8);
  CHECK(image.at("image").at("mean").is_null());
}

TEST_CASE("a draft is refused as a card until its nulls are filled in") {
  json card = draft_card(model_path("no_card"));
  CHECK_THROWS_AS(encode::parse_card(card.dump(), "draft"), Error);
  const encode::EncoderCard whole = read_torchscript_model(model_path("plain")).card;
  card["alphabet"] = whole.text.at("alphabet");
  card["pooling"] = "mean";
  CHECK_THROWS_AS(encode::parse_card(card.dump(), "draft"), Error);  // normalize is still null
  card["normalize"] = "none";
  CHECK(encode::parse_card(card.dump(), "draft").outputs.front().dimension == 16);
}
