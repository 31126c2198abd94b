#include "encode/card.hpp"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::encode {
namespace {

using nlohmann::json;

// One JSON object of the card. Every access names the field when it is not what it must be.
class Fields {
 public:
  Fields(const json& object, std::string where, std::string prefix)
      : object_(object), where_(std::move(where)), prefix_(std::move(prefix)) {
    if (!object_.is_object()) {
      fail(prefix_.empty() ? "the card" : prefix_, "must be an object");
    }
  }

  void allow_only(std::initializer_list<std::string_view> names) const {
    for (const auto& [name, value] : object_.items()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        fail(path(name), "is not a field of a card; fields here are " +
                             join(std::vector<std::string>(names.begin(), names.end()), ", "));
      }
    }
  }

  bool has_value(std::string_view name) const {
    return object_.contains(name) && !object_.at(std::string(name)).is_null();
  }

  const json& at(std::string_view name) const {
    if (!object_.contains(name)) {
      fail(path(name), "is missing");
    }
    const json& value = object_.at(std::string(name));
    if (value.is_null()) {
      fail(path(name), "is null: it cannot be guessed, so the card must say it");
    }
    return value;
  }

  std::string text(std::string_view name) const {
    const json& value = at(name);
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      fail(path(name), "must be a string that is not empty");
    }
    return value.get<std::string>();
  }

  std::string text_or(std::string_view name, std::string_view otherwise) const {
    return object_.contains(name) ? text(name) : std::string(otherwise);
  }

  bool flag_or(std::string_view name, bool otherwise) const {
    if (!object_.contains(name)) {
      return otherwise;
    }
    if (!at(name).is_boolean()) {
      fail(path(name), "must be true or false");
    }
    return at(name).get<bool>();
  }

  std::uint32_t count(std::string_view name) const {
    const json& value = at(name);
    constexpr std::int64_t kMost = 1 << 24;
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 ||
        value.get<std::int64_t>() > kMost) {
      fail(path(name),
           "must be a whole number from 1 to " + std::to_string(kMost) + ", not " + value.dump());
    }
    return value.get<std::uint32_t>();
  }

  double number(std::string_view name) const {
    const json& value = at(name);
    if (!value.is_number()) {
      fail(path(name), "must be a number");
    }
    return value.get<double>();
  }

  const json& list(std::string_view name) const {
    if (!at(name).is_array()) {
      fail(path(name), "must be a list");
    }
    return at(name);
  }

  template <HasWords T>
  T choice(std::string_view name) const {
    const std::string word = text(name);
    const std::optional<T> value = from_string<T>(word);
    if (!value) {
      std::vector<std::string> allowed;
      for (const Word<T>& each : Words<T>::all) {
        allowed.emplace_back(each.text);
      }
      fail(path(name), "is '" + printable(word) + "'; allowed are " + join(allowed, ", "));
    }
    return *value;
  }

  std::string one_of(std::string_view name, std::string_view otherwise,
                     std::initializer_list<std::string_view> allowed) const {
    const std::string word = text_or(name, otherwise);
    if (std::find(allowed.begin(), allowed.end(), word) == allowed.end()) {
      fail(path(name), "is '" + printable(word) + "'; allowed are " +
                           join(std::vector<std::string>(allowed.begin(), allowed.end()), ", "));
    }
    return word;
  }

  Fields child(const json& object, const std::string& name) const {
    return {object, where_, path(name)};
  }

  std::string path(std::string_view name) const {
    return prefix_.empty() ? std::string(name) : prefix_ + "." + std::string(name);
  }

  [[noreturn]] void fail(const std::string& field, const std::string& problem) const {
    throw Error(ExitCode::kBadData, where_ + ": " + field + " " + problem,
                "correct the card, or draft one with: longhaul inspect MODEL --draft-card");
  }

 private:
  const json& object_;
  std::string where_;
  std::string prefix_;
};

std::vector<CardInput> parse_inputs(const Fields& card, Modality modality) {
  const json& list = card.list("inputs");
  std::vector<CardInput> inputs;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Fields fields = card.child(list[i], "inputs[" + std::to_string(i) + "]");
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

std::int64_t token_number(const Fields& alphabet, const std::vector<std::string>& tokens,
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
std::optional<std::int64_t> optional_token(const Fields& alphabet, const json& object,
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

std::vector<std::string> parse_tokens(const Fields& fields) {
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

Alphabet parse_alphabet(const Fields& card) {
  const json& object = card.at("alphabet");
  const Fields fields = card.child(object, "alphabet");
  fields.allow_only({"tokens", "pad", "unknown", "prepend", "append", "allowed"});
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
  return alphabet;
}

std::array<double, 3> three_numbers(const Fields& fields, std::string_view name) {
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

ImageSpec parse_image(const Fields& card) {
  const Fields fields = card.child(card.at("image"), "image");
  fields.allow_only({"size", "resize", "interpolation", "antialias", "crop", "scale", "mean", "std",
                     "colour", "layout", "exif"});
  ImageSpec image;
  image.size = fields.count("size");
  image.resize = fields.count("resize");
  image.interpolation = fields.one_of("interpolation", "bicubic", {"bicubic", "bilinear"});
  image.antialias = fields.flag_or("antialias", true);
  image.crop = fields.flag_or("crop", true);
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

GoldenVector parse_golden(const Fields& fields, std::uint32_t dimension) {
  fields.allow_only({"input", "vector", "tolerance"});
  GoldenVector golden;
  golden.input = fields.text("input");
  const json& list = fields.list("vector");
  if (list.size() != dimension) {
    fields.fail(fields.path("vector"), "has " + std::to_string(list.size()) +
                                           " numbers; the card's dimension is " +
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

void check_version(const Fields& card) {
  const json& version = card.at("card");
  if (!version.is_number_integer() || version.get<std::int64_t>() != 1) {
    card.fail("card", "is " + version.dump() + "; this program reads version 1");
  }
}

std::optional<json> parse_output_key(const Fields& card) {
  if (!card.has_value("output_key")) {
    return std::nullopt;
  }
  const json& key = card.at("output_key");
  const bool position = key.is_number_integer() && key.get<std::int64_t>() >= 0;
  if (!position && !key.is_string()) {
    card.fail("output_key", "must be a position in a tuple (0, 1, ...), a key of a dict, or null");
  }
  return key;
}

void check_pooling(const Fields& card, const EncoderCard& parsed) {
  if (parsed.pooling == Pooling::kNone) {
    card.fail("pooling", "is 'none', which a run may ask for; a card says how vectors are made");
  }
  if (parsed.pooling == Pooling::kCls && parsed.output == OutputKind::kTokens &&
      !parsed.alphabet.prepend) {
    card.fail("pooling", "is 'cls', but the alphabet prepends no token");
  }
  if (parsed.pooling == Pooling::kMeanCompat && parsed.output != OutputKind::kTokens) {
    card.fail("pooling", "is 'mean-compat', which needs an output of kind 'tokens'");
  }
}

}  // namespace

EncoderCard parse_card(std::string_view json_text, const std::string& where) {
  const json object = parse_json(json_text, where);
  const Fields fields(object, where, "");
  check_version(fields);  // first: another version may have other fields
  fields.allow_only({"card", "name", "modality", "method", "inputs", "output", "output_key",
                     "dimension", "max_tokens", "alphabet", "image", "pooling", "normalize",
                     "golden", "source"});
  EncoderCard card;
  card.name = fields.text("name");
  card.modality = fields.choice<Modality>("modality");
  card.method = fields.text_or("method", "forward");
  card.inputs = parse_inputs(fields, card.modality);
  card.output = fields.choice<OutputKind>("output");
  card.output_key = parse_output_key(fields);
  card.dimension = fields.count("dimension");
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
      card.golden.push_back(
          parse_golden(fields.child(list[i], "golden[" + std::to_string(i) + "]"), card.dimension));
    }
  }
  card.source = fields.has_value("source") ? fields.at("source") : json(nullptr);
  card.text = object;
  return card;
}

}  // namespace longhaul::encode
