#include "encode/card.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "encode/outputs.hpp"

using namespace longhaul;
using namespace longhaul::encode;
using nlohmann::json;

namespace {

json sequence_card() {
  return json::parse(R"({
    "card": 1, "name": "tiny", "modality": "sequence", "method": "forward",
    "inputs": [{"kind": "tokens", "dtype": "int64"}, {"kind": "mask", "dtype": "int64"}],
    "output": "tokens", "output_key": null, "dimension": 2, "max_tokens": 512,
    "alphabet": {"tokens": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "A", "C"], "pad": "[PAD]",
                 "unknown": "[UNK]", "prepend": "[CLS]", "append": "[SEP]", "allowed": "AC"},
    "pooling": "mean", "normalize": "none",
    "golden": [{"input": "ACC", "vector": [0.5, -1], "tolerance": 1e-4}],
    "source": {"licence": "MIT"}})");
}

json layered_card() {
  json card = sequence_card();
  for (const char* name : {"output", "output_key", "dimension"}) {
    card.erase(name);
  }
  card["card"] = 2;
  card["outputs"] = json::parse(R"([
    {"name": "6", "key": 0, "kind": "tokens", "dimension": 2},
    {"name": "12", "key": 1, "kind": "tokens", "dimension": 2, "default": true},
    {"name": "head", "key": 2, "kind": "pooled", "dimension": 3, "default": false}])");
  card["golden"] = json::parse(R"([
    {"input": "ACC", "output": "head", "vector": [0.5, -1, 2]},
    {"input": "ACC", "output": "6", "vector": [0.5, -1]}])");
  return card;
}

json image_card() {
  return json::parse(R"({
    "card": 1, "name": "picture", "modality": "image", "method": "encode_image",
    "inputs": [{"kind": "pixels", "dtype": "float32"}], "output": "pooled", "output_key": "out",
    "dimension": 4,
    "image": {"size": 8, "resize": 9, "interpolation": "bilinear", "antialias": true, "crop": true,
              "scale": 0.00392156862745098, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
              "colour": "RGB", "layout": "NCHW", "exif": "ignore"},
    "pooling": "mean", "normalize": "l2", "golden": []})");
}

std::string refusal(const json& card) {
  try {
    parse_card(card.dump(), "the card of m.ts");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kBadData);
    CHECK_FALSE(error.remedy().empty());
    return error.what();
  }
  FAIL("accepted: " << card.dump());
  return "";
}

std::string refusal_after(json card, const char* pointer, const json& value) {
  card[json::json_pointer(pointer)] = value;
  return refusal(card);
}

}  // namespace

TEST_CASE("a sequence card is read field by field") {
  const EncoderCard card = parse_card(sequence_card().dump(), "card");
  CHECK(card.name == "tiny");
  CHECK(card.modality == Modality::kSequence);
  REQUIRE(card.inputs.size() == 2);
  CHECK(card.inputs[1].kind == InputKind::kMask);
  REQUIRE(card.outputs.size() == 1);
  CHECK(card.outputs[0].name.empty());
  CHECK(card.outputs[0].kind == OutputKind::kTokens);
  CHECK_FALSE(card.outputs[0].key);
  CHECK(card.outputs[0].dimension == 2);
  CHECK(card.outputs[0].is_default);
  CHECK(card.max_tokens == 512U);
  CHECK(card.alphabet.pad == 0);
  CHECK(card.alphabet.unknown == 1);
  CHECK(card.alphabet.prepend == 2);
  CHECK(card.alphabet.append == 3);
  CHECK(card.alphabet.allowed == "AC");
  REQUIRE(card.golden.size() == 1);
  CHECK(card.golden[0].vector == std::vector<float>{0.5F, -1.0F});
  CHECK(card.source["licence"] == "MIT");
  CHECK(card.text == sequence_card());
}

TEST_CASE("an image card is read field by field") {
  const EncoderCard card = parse_card(image_card().dump(), "card");
  CHECK(card.modality == Modality::kImage);
  CHECK(card.method == "encode_image");
  CHECK(card.outputs.front().key == json("out"));
  CHECK(card.image.size == 8);
  CHECK(card.image.resize == 9);
  CHECK(card.image.interpolation == "bilinear");
  CHECK(card.image.std[2] == 0.25);
  CHECK(card.normalize == Normalize::kL2);
}

TEST_CASE("a card of version 2 has outputs by name") {
  const EncoderCard card = parse_card(layered_card().dump(), "card");
  REQUIRE(card.outputs.size() == 3);
  CHECK(card.outputs[0].name == "6");
  CHECK(card.outputs[0].key == json(0));
  CHECK_FALSE(card.outputs[0].is_default);
  CHECK(card.outputs[1].kind == OutputKind::kTokens);
  CHECK(card.outputs[1].is_default);
  CHECK(card.outputs[2].kind == OutputKind::kPooled);
  CHECK(card.outputs[2].dimension == 3);
  REQUIRE(card.golden.size() == 2);
  CHECK(card.golden[0].output == 2);
  CHECK(card.golden[1].output == 0);
}

TEST_CASE("outputs that cannot be told apart or named are refused") {
  using Catch::Matchers::Contains;
  const auto refused = [](const char* pointer, const json& value) {
    return refusal_after(layered_card(), pointer, value);
  };
  CHECK_THAT(refused("/outputs", json::array()), Contains("exactly one"));
  CHECK_THAT(refused("/outputs/1/default", false), Contains("exactly one"));
  CHECK_THAT(refused("/outputs/0/default", true), Contains("exactly one"));
  CHECK_THAT(refused("/outputs/0/name", "12"), Contains("outputs[1].name is '12', as that of"));
  CHECK_THAT(refused("/outputs/0/name", "HEAD"), Contains("outputs[2].name is 'head', as that of"));
  for (const char* name : {"a.b", "../x", "a b", "\u00e9"}) {
    CHECK_THAT(refused("/outputs/0/name", name), Contains("letters, digits"));
  }
  CHECK_THAT(refused("/outputs/0/name", ""), Contains("outputs[0].name"));
  CHECK_THAT(refused("/outputs/0/key", -1), Contains("outputs[0].key"));
  CHECK_THAT(refused("/outputs/0/kind", nullptr), Contains("outputs[0].kind is null"));
  CHECK_THAT(refused("/outputs/2/dimension", 0), Contains("outputs[2].dimension"));
  CHECK_THAT(refused("/outputs/2/dtype", "fp16"), Contains("outputs[2].dtype"));
  CHECK_THAT(refused("/output", "tokens"), Contains("output is not a field"));
  CHECK_THAT(refused("/golden/0/output", "7"), Contains("golden[0].output is '7', which is no"));
  CHECK_THAT(refused("/golden/0/vector", json{1, 2}), Contains("has 2 numbers"));
  CHECK_THAT(refused("/pooling", "mean-compat"), Contains("needs an output of kind 'tokens'"));
  CHECK_THAT(refusal_after(sequence_card(), "/outputs", json::array()), Contains("outputs"));
  CHECK_THAT(refusal_after(sequence_card(), "/golden/0/output", "7"), Contains("output"));
}

TEST_CASE("a run takes the outputs that it names, in their order") {
  const EncoderCard card = parse_card(layered_card().dump(), "card");
  const auto names = [&](std::vector<std::string> layers, Pooling pooling, bool tokens) {
    EncoderOptions options;
    options.layers = std::move(layers);
    options.pooling = pooling;
    options.tokens = tokens;
    std::vector<std::string> found;
    for (const OutputSpec& output : outputs_of(card, options)) {
      found.push_back(output.name + " " + std::to_string(output.dimension));
    }
    return found;
  };
  using Names = std::vector<std::string>;
  CHECK(names({}, Pooling::kMean, false) == Names{"embeddings 2"});
  CHECK(names({"head", "6"}, Pooling::kMean, false) == Names{"embeddings 3", "embeddings.6 2"});
  CHECK(names({"6", "12"}, Pooling::kMean, true) ==
        Names{"embeddings 2", "embeddings.12 2", "tokens 2"});
  CHECK(names({"6"}, Pooling::kNone, true) == Names{"tokens 2"});
  const auto refused = [](const EncoderCard& of, std::vector<std::string> layers) {
    EncoderOptions options;
    options.layers = std::move(layers);
    try {
      chosen_outputs(of, options);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::kUsage);
      return std::string(error.what()) + "; " + error.remedy();
    }
    return std::string("taken");
  };
  CHECK(refused(card, {"7"}) ==
        "--layer 7 is no output of this model; its outputs are 6, 12, head");
  CHECK(refused(card, {"6", "6"}).starts_with("--layer 6 is given twice"));
  CHECK(refused(parse_card(sequence_card().dump(), "card"), {"6"})
            .starts_with("--layer 6, but this model has one output, without a name"));
}

TEST_CASE("null means none where a model may have none") {
  json text = sequence_card();
  text["max_tokens"] = nullptr;
  text["alphabet"]["prepend"] = nullptr;
  text["alphabet"]["append"] = nullptr;
  text["alphabet"]["unknown"] = nullptr;
  const EncoderCard card = parse_card(text.dump(), "card");
  CHECK_FALSE(card.max_tokens);
  CHECK_FALSE(card.alphabet.prepend);
  CHECK_FALSE(card.alphabet.unknown);
}

TEST_CASE("a null that cannot be guessed is refused by name") {
  const std::vector<std::string> sequence_fields{
      "/name",         "/modality",         "/inputs",    "/output",
      "/dimension",    "/alphabet",         "/pooling",   "/alphabet/tokens",
      "/alphabet/pad", "/alphabet/allowed", "/normalize", "/card"};
  for (const std::string& field : sequence_fields) {
    INFO(field);
    const std::string message = refusal_after(sequence_card(), field.c_str(), nullptr);
    const std::string name = field.substr(field.rfind('/') + 1);
    CHECK(message.find(name) != std::string::npos);
    CHECK(message.find("null") != std::string::npos);
  }
  for (const char* field : {"/image/mean", "/image/std", "/image/size", "/image/scale"}) {
    INFO(field);
    CHECK(refusal_after(image_card(), field, nullptr).find("null") != std::string::npos);
  }
  CHECK(refusal_after(sequence_card(), "/alphabet/tokens/4", nullptr).find("tokens[4]") !=
        std::string::npos);
}

TEST_CASE("values that are not known are refused with what is allowed") {
  using Catch::Matchers::Contains;
  CHECK_THAT(refusal_after(sequence_card(), "/card", 3), Contains("versions 1 and 2"));
  CHECK_THAT(refusal_after(sequence_card(), "/card", 0), Contains("versions 1 and 2"));
  CHECK_THAT(refusal_after(sequence_card(), "/card", 1.5), Contains("versions 1 and 2"));
  CHECK_THAT(refusal_after(sequence_card(), "/modality", "sound"), Contains("sequence, image"));
  CHECK_THAT(refusal_after(sequence_card(), "/output", "logits"), Contains("tokens, pooled, map"));
  CHECK_THAT(refusal_after(sequence_card(), "/pooling", "average"), Contains("mean-compat"));
  CHECK_THAT(refusal_after(sequence_card(), "/pooling", "none"), Contains("a run may ask for"));
  CHECK_THAT(refusal_after(sequence_card(), "/normalize", "l1"), Contains("none, l2"));
  CHECK_THAT(refusal_after(sequence_card(), "/inputs/0/kind", "words"), Contains("inputs[0].kind"));
  CHECK_THAT(refusal_after(sequence_card(), "/inputs/0/dtype", "int8"), Contains("int64"));
  CHECK_THAT(refusal_after(sequence_card(), "/inputs/0/kind", "pixels"), Contains("modality"));
  CHECK_THAT(refusal_after(sequence_card(), "/inputs/0/kind", "zeros"), Contains("exactly one"));
  CHECK_THAT(refusal_after(sequence_card(), "/dimension", 0), Contains("dimension"));
  CHECK_THAT(refusal_after(sequence_card(), "/dimension", 2.5), Contains("whole number"));
  CHECK_THAT(refusal_after(sequence_card(), "/output_key", -1), Contains("output_key"));
  CHECK_THAT(refusal_after(sequence_card(), "/nomalize", "l2"), Contains("nomalize"));
  CHECK_THAT(refusal_after(image_card(), "/image/interpolation", "nearest"), Contains("bilinear"));
  CHECK_THAT(refusal_after(image_card(), "/image/std/1", 0), Contains("above zero"));
  CHECK_THAT(refusal_after(image_card(), "/image/resize", 4), Contains("cropped"));
}

TEST_CASE("tokens that are not in the list are refused") {
  using Catch::Matchers::Contains;
  CHECK_THAT(refusal_after(sequence_card(), "/alphabet/pad", "<pad>"), Contains("'<pad>'"));
  CHECK_THAT(refusal_after(sequence_card(), "/alphabet/append", "<eos>"), Contains("'<eos>'"));
  CHECK_THAT(refusal_after(sequence_card(), "/alphabet/allowed", "ACD"), Contains("'D'"));
  CHECK_THAT(refusal_after(sequence_card(), "/alphabet/tokens/5", "A"), Contains("twice"));
  json card = sequence_card();
  card["alphabet"].erase("prepend");
  CHECK_THAT(refusal(card), Contains("alphabet.prepend"));
}

TEST_CASE("letters that are read as another are no letters of the alphabet, the others are") {
  using Catch::Matchers::Contains;
  json card = sequence_card();
  CHECK(parse_card(card.dump(), "card").alphabet.replace.empty());
  card["alphabet"]["replace"] = {{"B", "A"}, {"Z", "C"}};
  const auto read = parse_card(card.dump(), "card").alphabet.replace;
  CHECK(read == std::map<char, char>{{'B', 'A'}, {'Z', 'C'}});
  CHECK_THAT(refusal_after(card, "/alphabet/replace/A", "C"), Contains("replace.A"));
  CHECK_THAT(refusal_after(card, "/alphabet/replace/B", "X"), Contains("'X'"));
  CHECK_THAT(refusal_after(card, "/alphabet/replace/b", "A"), Contains("upper-case"));
  CHECK_THAT(refusal_after(card, "/alphabet/replace/BZ", "A"), Contains("upper-case"));
  CHECK_THAT(refusal_after(card, "/alphabet/replace", "BZ"), Contains("object"));
}

TEST_CASE("cls pooling without a prepended token is refused") {
  json card = sequence_card();
  card["pooling"] = "cls";
  card["alphabet"]["prepend"] = nullptr;
  CHECK_THAT(refusal(card), Catch::Matchers::Contains("cls"));
}

TEST_CASE("golden vectors of another dimension are refused") {
  CHECK_THAT(refusal_after(sequence_card(), "/golden/0/vector", {1, 2, 3}),
             Catch::Matchers::Contains("golden[0].vector has 3"));
}

TEST_CASE("text that is not JSON is refused with the byte") {
  try {
    parse_card("{\"card\": 1,", "x.json");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kBadData);
    CHECK(std::string(error.what()).find("x.json: not JSON, at byte") == 0);
  }
}

TEST_CASE("a number beyond float64 is refused") {
  std::string text = image_card().dump();
  text.replace(text.find("0.0039"), 6, "1e999");
  try {
    parse_card(text, "x.json");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kBadData);
    CHECK(std::string(error.what()).find("x.json: holds a number beyond float64") == 0);
    CHECK_FALSE(error.remedy().empty());
  }
}

TEST_CASE("a card nested deeper than the stack is refused, wherever that is") {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  for (const char* field : {"source", "card", "output_key"}) {
    json card = sequence_card();
    card[field] = "DEEP";
    std::string text = card.dump();
    text.replace(text.find("\"DEEP\""), 6, deep);
    CAPTURE(field);
    try {
      parse_card(text, "x.json");
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::kBadData);
      CHECK(std::string(error.what()).find("nested more than 64 levels deep") != std::string::npos);
    }
  }
}
