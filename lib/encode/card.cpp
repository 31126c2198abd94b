#include "encode/card.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "encode/card_fields.hpp"

namespace longhaul::encode {
namespace {

using nlohmann::json;

std::vector<CardInput> parse_inputs(const CardFields& card, Modality modality) {
  const json& list = card.list("inputs");
  std::vector<CardInput> inputs;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const CardFields fields = card.child(list[i], "inputs[" + std::to_string(i) + "]");
    fields.allow_only({"kind", "dtype"});
    CardInput input;
    input.kind = fields.choice<InputKind>("kind");
    const bool pixels = input.kind == InputKind::kPixels;
    if (pixels != (modality == Modality::kImage)) {
      fields.fail(fields.path("kind"), "does not fit the card's modality");
    }
    input.dtype = pixels ? fields.one_of("dtype", "float32", {"float32", "uint8"})
                         : fields.one_of("dtype", "int64", {"int64", "int32", "float32", "bool"});
    inputs.push_back(input);
  }
  const InputKind needed = modality == Modality::kImage ? InputKind::kPixels : InputKind::kTokens;
  if (std::count_if(inputs.begin(), inputs.end(),
                    [&](const CardInput& input) { return input.kind == needed; }) != 1) {
    card.fail("inputs", "must hold exactly one of kind '" + std::string(to_string(needed)) + "'");
  }
  return inputs;
}

std::int64_t token_number(const CardFields& alphabet, const std::vector<std::string>& tokens,
                          std::string_view field) {
  const std::string token = alphabet.text(field);
  const auto found = std::find(tokens.begin(), tokens.end(), token);
  if (found == tokens.end()) {
    alphabet.fail(alphabet.path(field),
                  "is '" + printable(token) + "', which is not in the list of tokens");
  }
  return found - tokens.begin();
}

// prepend, append and unknown may be null, "there is none", but must be said.
std::optional<std::int64_t> optional_token(const CardFields& alphabet, const json& object,
                                           const std::vector<std::string>& tokens,
                                           std::string_view field) {
  if (!object.contains(field)) {
    alphabet.fail(alphabet.path(field), "is missing; write null when the model has none");
  }
  if (!alphabet.has_value(field)) {
    return std::nullopt;
  }
  return token_number(alphabet, tokens, field);
}

std::vector<std::string> parse_tokens(const CardFields& fields) {
  const json& list = fields.list("tokens");
  constexpr std::size_t kMostTokens = 65536;  // token numbers travel as 16 bits
  if (list.empty() || list.size() > kMostTokens) {
    fields.fail(fields.path("tokens"), "must hold 1 to 65,536 tokens");
  }
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_string()) {
      fields.fail(fields.path("tokens[" + std::to_string(i) + "]"),
                  list[i].is_null() ? "is null: which token has this number must be known"
                                    : "must be a string");
    }
    tokens.push_back(list[i].get<std::string>());
  }
  std::vector<std::string> sorted = tokens;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  if (twice != sorted.end()) {
    fields.fail(fields.path("tokens"), "holds '" + printable(*twice) + "' twice");
  }
  return tokens;
}

// {"B": "X", ...}: letters that are read as another. A token of their own they may have, unused.
std::map<char, char> parse_replace(const CardFields& alphabet, const std::string& allowed) {
  std::map<char, char> replace;
  if (!alphabet.has_value("replace")) {
    return replace;
  }
  const CardFields fields = alphabet.child(alphabet.at("replace"), "replace");
  for (const auto& [letter, value] : alphabet.at("replace").items()) {
    if (letter.size() != 1 || letter[0] < 'A' || letter[0] > 'Z') {
      fields.fail(fields.path(printable(letter)), "is not an upper-case letter");
    }
    if (allowed.find(letter[0]) != std::string::npos) {
      fields.fail(fields.path(letter), "is a letter of alphabet.allowed too");
    }
    const std::string other = fields.text(letter);
    if (other.size() != 1 || allowed.find(other[0]) == std::string::npos) {
      fields.fail(fields.path(letter),
                  "is '" + printable(other) + "', which is not a letter of alphabet.allowed");
    }
    replace[letter[0]] = other[0];
  }
  return replace;
}

Alphabet parse_alphabet(const CardFields& card) {
  const json& object = card.at("alphabet");
  const CardFields fields = card.child(object, "alphabet");
  fields.allow_only({"tokens", "pad", "unknown", "prepend", "append", "allowed", "replace"});
  Alphabet alphabet;
  alphabet.tokens = parse_tokens(fields);
  alphabet.pad = token_number(fields, alphabet.tokens, "pad");
  alphabet.unknown = optional_token(fields, object, alphabet.tokens, "unknown");
  alphabet.prepend = optional_token(fields, object, alphabet.tokens, "prepend");
  alphabet.append = optional_token(fields, object, alphabet.tokens, "append");
  alphabet.allowed = fields.text("allowed");
  for (const char letter : alphabet.allowed) {
    const std::string token(1, letter);
    if (std::find(alphabet.tokens.begin(), alphabet.tokens.end(), token) == alphabet.tokens.end()) {
      fields.fail(fields.path("allowed"),
                  "holds '" + printable(token) + "', which is not in the list of tokens");
    }
    if (letter >= 'a' && letter <= 'z') {
      fields.fail(fields.path("allowed"), "holds '" + token +
                                              "': letters here are upper case, as sequences are "
                                              "read");
    }
  }
  alphabet.replace = parse_replace(fields, alphabet.allowed);
  return alphabet;
}

std::array<double, 3> three_numbers(const CardFields& fields, std::string_view name) {
  const json& list = fields.list(name);
  std::array<double, 3> values{};
  if (list.size() != values.size()) {
    fields.fail(fields.path(name), "must hold three numbers, one for each channel");
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!list[i].is_number()) {
      fields.fail(fields.path(name), "must hold three numbers, not " + list[i].dump());
    }
    values[i] = list[i].get<double>();
  }
  return values;
}

ImageSpec parse_image(const CardFields& card) {
  const CardFields fields = card.child(card.at("image"), "image");
  fields.allow_only({"size", "resize", "interpolation", "antialias", "crop", "crop_rounding",
                     "scale", "mean", "std", "colour", "layout", "exif"});
  ImageSpec image;
  image.size = fields.count("size");
  image.resize = fields.count("resize");
  image.interpolation = fields.one_of("interpolation", "bicubic", {"bicubic", "bilinear"});
  image.antialias = fields.flag_or("antialias", true);
  image.crop = fields.flag_or("crop", true);
  image.crop_rounding = fields.one_of("crop_rounding", "even", {"even", "down"});
  if (image.crop && image.resize < image.size) {
    fields.fail(fields.path("resize"), "is smaller than the size to be cropped");
  }
  image.scale = fields.number("scale");
  image.mean = three_numbers(fields, "mean");
  image.std = three_numbers(fields, "std");
  if (std::any_of(image.std.begin(), image.std.end(), [](double value) { return !(value > 0); })) {
    fields.fail(fields.path("std"), "must be above zero");
  }
  image.colour = fields.one_of("colour", "RGB", {"RGB"});
  image.layout = fields.one_of("layout", "NCHW", {"NCHW", "NHWC"});
  image.exif = fields.one_of("exif", "ignore", {"ignore", "apply"});
  return image;
}

// Version 1 has one output, whose vectors they are.
GoldenVector parse_golden(const CardFields& fields, const EncoderCard& card, bool one_output) {
  if (one_output) {
    fields.allow_only({"input", "vector", "tolerance"});
  } else {
    fields.allow_only({"input", "output", "vector", "tolerance"});
  }
  GoldenVector golden;
  golden.input = fields.text("input");
  if (!one_output) {
    const std::string name = fields.text("output");
    const auto found = std::find_if(card.outputs.begin(), card.outputs.end(),
                                    [&](const auto& output) { return output.name == name; });
    if (found == card.outputs.end()) {
      fields.fail(fields.path("output"), "is '" + printable(name) + "', which is no output");
    }
    golden.output = static_cast<std::size_t>(found - card.outputs.begin());
  }
  const std::uint32_t dimension = card.outputs[golden.output].dimension;
  const json& list = fields.list("vector");
  if (list.size() != dimension) {
    fields.fail(fields.path("vector"), "has " + std::to_string(list.size()) +
                                           " numbers; the dimension of its output is " +
                                           std::to_string(dimension));
  }
  for (const json& value : list) {
    if (!value.is_number()) {
      fields.fail(fields.path("vector"), "holds " + value.dump() + ", which is not a number");
    }
    golden.vector.push_back(value.get<float>());
  }
  if (fields.has_value("tolerance")) {
    golden.tolerance = fields.number("tolerance");
    if (!(golden.tolerance > 0)) {
      fields.fail(fields.path("tolerance"), "must be above zero");
    }
  }
  return golden;
}

// Copying and printing a value take stack for each level of it.
constexpr int kDeepest = 64;

json parse_json(std::string_view text, const std::string& where) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ExitCode::kBadData, where + ": " + why,
                "correct the card, or draft one with: longhaul inspect MODEL --draft-card");
  };
  try {
    return json::parse(text, [&](int depth, json::parse_event_t, const json&) {
      if (depth > kDeepest) {
        refuse("nested more than " + std::to_string(kDeepest) + " levels deep");
      }
      return true;
    });
  } catch (const json::parse_error& error) {
    refuse("not JSON, at byte " + std::to_string(error.byte));
  } catch (const json::out_of_range& error) {
    refuse("holds a number beyond float64: " + printable(error.what(), 200));
  }
  return {};
}

std::int64_t version_of(const CardFields& card) {
  const json& version = card.at("card");
  if (!version.is_number_integer() || version.get<std::int64_t>() < 1 ||
      version.get<std::int64_t>() > 2) {
    card.fail("card", "is " + version.dump() + "; this program reads versions 1 and 2");
  }
  return version.get<std::int64_t>();
}

std::optional<json> parse_key(const CardFields& fields, std::string_view name) {
  if (!fields.has_value(name)) {
    return std::nullopt;
  }
  const json& key = fields.at(name);
  const bool position = key.is_number_integer() && key.get<std::int64_t>() >= 0;
  if (!position && !key.is_string()) {
    fields.fail(fields.path(name),
                "must be a position in a tuple (0, 1, ...), a key of a dict, or null");
  }
  return key;
}

CardOutput parse_output(const CardFields& fields) {
  fields.allow_only({"name", "key", "kind", "dimension", "default"});
  CardOutput output;
  output.name = fields.text("name");
  // It is part of a file's name.
  constexpr std::size_t kLongestName = 64;
  if (output.name.size() > kLongestName ||
      !std::all_of(output.name.begin(), output.name.end(), [](unsigned char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '_' || c == '-';
      })) {
    fields.fail(fields.path("name"), "is '" + printable(output.name, 100) +
                                         "'; a name is made of letters, digits, _ and -, 64 at "
                                         "most");
  }
  output.key = parse_key(fields, "key");
  output.kind = fields.choice<OutputKind>("kind");
  output.dimension = fields.count("dimension");
  output.is_default = fields.flag_or("default", false);
  return output;
}

std::vector<CardOutput> parse_outputs(const CardFields& card) {
  std::vector<CardOutput> outputs;
  const json& list = card.list("outputs");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const CardFields fields = card.child(list[i], "outputs[" + std::to_string(i) + "]");
    CardOutput output = parse_output(fields);
    // Some file systems take upper and lower case for the same name.
    if (std::any_of(outputs.begin(), outputs.end(), [&](const auto& other) {
          return to_lower(other.name) == to_lower(output.name);
        })) {
      fields.fail(fields.path("name"),
                  "is '" + output.name + "', as that of another output, whatever the case");
    }
    outputs.push_back(std::move(output));
  }
  if (std::count_if(outputs.begin(), outputs.end(),
                    [](const auto& output) { return output.is_default; }) != 1) {
    card.fail("outputs", "must hold exactly one with \"default\": true");
  }
  return outputs;
}

void check_pooling(const CardFields& card, const EncoderCard& parsed) {
  if (parsed.pooling == Pooling::kNone) {
    card.fail("pooling", "is 'none', which a run may ask for; a card says how vectors are made");
  }
  for (const CardOutput& output : parsed.outputs) {
    const bool tokens = output.kind == OutputKind::kTokens;
    if (parsed.pooling == Pooling::kCls && tokens && !parsed.alphabet.prepend) {
      card.fail("pooling", "is 'cls', but the alphabet prepends no token");
    }
    if (parsed.pooling == Pooling::kMeanCompat && !tokens) {
      card.fail("pooling", "is 'mean-compat', which needs an output of kind 'tokens'");
    }
  }
}

}  // namespace

EncoderCard parse_card(std::string_view json_text, const std::string& where) {
  const json object = parse_json(json_text, where);
  const CardFields fields(object, where, "");
  // First: another version may have other fields.
  const bool one_output = version_of(fields) == 1;
  if (one_output) {
    fields.allow_only({"card", "name", "modality", "method", "inputs", "output", "output_key",
                       "dimension", "max_tokens", "alphabet", "image", "pooling", "normalize",
                       "golden", "source"});
  } else {
    fields.allow_only({"card", "name", "modality", "method", "inputs", "outputs", "max_tokens",
                       "alphabet", "image", "pooling", "normalize", "golden", "source"});
  }
  EncoderCard card;
  card.name = fields.text("name");
  card.modality = fields.choice<Modality>("modality");
  card.method = fields.text_or("method", "forward");
  card.inputs = parse_inputs(fields, card.modality);
  if (one_output) {
    const auto kind = fields.choice<OutputKind>("output");
    card.outputs = {{"", kind, parse_key(fields, "output_key"), fields.count("dimension"), true}};
  } else {
    card.outputs = parse_outputs(fields);
  }
  if (card.modality == Modality::kSequence) {
    if (!object.contains("max_tokens")) {
      fields.fail("max_tokens", "is missing; write null when the length is not limited");
    }
    if (fields.has_value("max_tokens")) {
      card.max_tokens = fields.count("max_tokens");
    }
    card.alphabet = parse_alphabet(fields);
  } else {
    card.image = parse_image(fields);
  }
  card.pooling = fields.choice<Pooling>("pooling");
  card.normalize = fields.choice<Normalize>("normalize");
  check_pooling(fields, card);
  if (fields.has_value("golden")) {
    const json& list = fields.list("golden");
    for (std::size_t i = 0; i < list.size(); ++i) {
      card.golden.push_back(parse_golden(fields.child(list[i], "golden[" + std::to_string(i) + "]"),
                                         card, one_output));
    }
  }
  card.source = fields.has_value("source") ? fields.at("source") : json(nullptr);
  card.text = object;
  return card;
}

}  // namespace longhaul::encode
