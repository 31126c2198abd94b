// The encoder card: what a TorchScript archive expects and gives, as longhaul.json inside it says.
// A value; any thread. Reading throws Error(kBadData) naming the field.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/numbers.hpp"

namespace longhaul {

enum class InputKind { kTokens, kMask, kZeros, kPixels };
template <>
struct Words<InputKind> {
  static constexpr Word<InputKind> all[] = {{"tokens", InputKind::kTokens},
                                            {"mask", InputKind::kMask},
                                            {"zeros", InputKind::kZeros},
                                            {"pixels", InputKind::kPixels}};
};

// batch x length x d, batch x d, batch x c x h x w
enum class OutputKind { kTokens, kPooled, kMap };
template <>
struct Words<OutputKind> {
  static constexpr Word<OutputKind> all[] = {
      {"tokens", OutputKind::kTokens}, {"pooled", OutputKind::kPooled}, {"map", OutputKind::kMap}};
};

}  // namespace longhaul

namespace longhaul::encode {

struct CardInput {
  InputKind kind = InputKind::kTokens;
  // tokens, mask, zeros: int64, int32, float32, bool. pixels: float32, scaled and normalised as the
  // card's image part says, or uint8, handed over as they are.
  std::string dtype = "int64";
};

struct Alphabet {
  std::vector<std::string> tokens;  // index is the token's number
  std::int64_t pad = 0;
  std::optional<std::int64_t> unknown;
  std::optional<std::int64_t> prepend;
  std::optional<std::int64_t> append;
  std::string allowed;  // characters that may stand in a sequence, upper case
  // Letters that the model's own instructions read as one of `allowed`, such as B as X; none of
  // them is in `allowed`.
  std::map<char, char> replace;
};

struct ImageSpec {
  std::uint32_t size = 224;               // height and width that enter the encoder
  std::uint32_t resize = 224;             // shorter side after the resize
  std::string interpolation = "bicubic";  // bicubic, bilinear
  bool antialias = true;
  bool crop = true;  // centre crop to size x size
  // Of half a pixel, where the crop begins: even (Python's round, as torchvision) or down (as
  // transformers).
  std::string crop_rounding = "even";
  double scale = 1.0 / 255.0;
  std::array<double, 3> mean{0, 0, 0};
  std::array<double, 3> std{1, 1, 1};
  std::string colour = "RGB";
  std::string layout = "NCHW";
  std::string exif = "ignore";  // ignore, apply
};

// One of the tensors that a forward gives.
struct CardOutput {
  std::string name;  // empty where there is one and version 1 of the card
  OutputKind kind = OutputKind::kTokens;
  std::optional<nlohmann::json> key;  // a number (tuple or list) or a string (dict)
  std::uint32_t dimension = 0;
  bool is_default = true;  // what a run takes that names none
};

struct GoldenVector {
  std::string input;          // residues, or the recipe of a generated image (encode/golden.hpp)
  std::size_t output = 0;     // of EncoderCard::outputs
  std::vector<float> vector;  // pooled as the card says, not normalised beyond it
  double tolerance = 1e-4;
};

struct EncoderCard {
  std::string name;
  Modality modality = Modality::kSequence;
  std::string method = "forward";
  std::vector<CardInput> inputs;
  std::vector<CardOutput> outputs;          // at least one, exactly one of them the default
  std::optional<std::uint32_t> max_tokens;  // special tokens included; none: unlimited
  Alphabet alphabet;                        // sequences
  ImageSpec image;                          // images
  Pooling pooling = Pooling::kMean;
  Normalize normalize = Normalize::kNone;
  std::vector<GoldenVector> golden;
  nlohmann::json source;  // provenance, copied to run.json
  nlohmann::json text;    // the card as it was written
};

// `where` names the card in messages. A null that matters, an unknown version, field or value, a
// token that is not in the list: Error(kBadData).
EncoderCard parse_card(std::string_view json_text, const std::string& where);

}  // namespace longhaul::encode
