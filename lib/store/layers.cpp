#include "store/layers.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::store {
namespace {

using nlohmann::json;

constexpr std::string_view kFirst = "embeddings";

}  // namespace

std::string layer_of(const OutputReader& output, const OutputSpec& array) {
  if (array.name != kFirst) {
    return array.name.substr(std::min(array.name.size(), kFirst.size() + 1));
  }
  const json& begin = output.claims()->run.begin;
  const json layers = begin.value("fingerprint", json::object()).value("layer", json::array());
  return layers.is_array() && !layers.empty() ? layers.front().get<std::string>() : "";
}

OutputSpec array_of_layer(const OutputReader& output, const std::optional<std::string>& layer) {
  std::vector<std::string> names;
  for (const OutputSpec& array : output.layout().outputs) {
    if (array.kind != ArrayKind::kVector) {
      continue;
    }
    const std::string name = layer_of(output, array);
    if (!layer || name == *layer) {
      return array;
    }
    if (!name.empty()) {
      names.push_back(name);
    }
  }
  if (!layer) {
    throw Error(ExitCode::kUsage,
                printable(output.path(), 400) + " has no vector for each record, only residues",
                "embed again without --pooling none");
  }
  throw Error(ExitCode::kUsage,
              printable(output.path(), 400) + " has no layer '" + printable(*layer) + "'",
              names.empty() ? "leave out --layer: its model has one output"
                            : "layers: " + join(names, ", "));
}

}  // namespace longhaul::store
