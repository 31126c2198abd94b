#include "encode/outputs.hpp"

#include <algorithm>
#include <string>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::encode {
namespace {

CardOutput named(const EncoderCard& card, const std::string& name) {
  std::vector<std::string> names;
  for (const CardOutput& output : card.outputs) {
    if (!output.name.empty() && output.name == name) {
      return output;
    }
    names.push_back(output.name);
  }
  if (names.size() == 1 && names.front().empty()) {
    throw Error(ExitCode::kUsage,
                "--layer " + printable(name) + ", but this model has one output, without a name",
                "leave --layer out, or export the model with several (export_esm.py --layers)");
  }
  throw Error(ExitCode::kUsage, "--layer " + printable(name) + " is no output of this model",
              "its outputs are " + join(names, ", "));
}

}  // namespace

std::vector<CardOutput> chosen_outputs(const EncoderCard& card, const EncoderOptions& options) {
  if (options.layers.empty()) {
    return {*std::find_if(card.outputs.begin(), card.outputs.end(),
                          [](const auto& output) { return output.is_default; })};
  }
  std::vector<CardOutput> chosen;
  for (const std::string& name : options.layers) {
    if (std::count(options.layers.begin(), options.layers.end(), name) > 1) {
      throw Error(ExitCode::kUsage, "--layer " + printable(name) + " is given twice",
                  "give each layer once");
    }
    chosen.push_back(named(card, name));
  }
  return chosen;
}

std::vector<OutputSpec> outputs_of(const EncoderCard& card, const EncoderOptions& options) {
  const std::vector<CardOutput> chosen = chosen_outputs(card, options);
  std::vector<OutputSpec> outputs;
  if (options.pooling != Pooling::kNone) {
    for (const CardOutput& output : chosen) {
      OutputSpec spec{.dimension = output.dimension};
      if (!outputs.empty()) {
        spec.name += "." + output.name;
      }
      outputs.push_back(spec);
    }
  }
  if (options.tokens) {
    outputs.push_back(
        {.name = "tokens", .kind = ArrayKind::kTokens, .dimension = chosen.front().dimension});
  }
  return outputs;
}

}  // namespace longhaul::encode
