#include "session/same_vectors.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "session/run_identity.hpp"
#include "store/layers.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;

// They say which records there are, what else is written of each, and on what kind of device it was
// computed, which is told apart.
constexpr std::array<std::string_view, 10> kOther{
    "sequence-column", "id-column", "keep-column",  "skip-lines", "delimiter",
    "skip-duplicates", "tokens",    "tokens-dtype", "layer",      "device"};

json fingerprint_of(const store::OutputReader& output) {
  return output.claims()->run.begin.value("fingerprint", json::object());
}

}  // namespace

std::string require_same_vectors(const store::OutputReader& a, const OutputSpec& array_a,
                                 const store::OutputReader& b, const OutputSpec& array_b) {
  const std::string name_a = printable(a.path(), 400);
  const std::string name_b = printable(b.path(), 400);
  const json one = fingerprint_of(a);
  const json other = fingerprint_of(b);
  const auto differs = [&](const std::string& name, const std::string& left,
                           const std::string& right) {
    return Error(ExitCode::kBadData,
                 name_a + " was made with " + name + " " + left + ", and " + name_b + " with " +
                     right + ": their vectors are not comparable",
                 "embed one of them again, with the model and settings of the other");
  };
  std::set<std::string> names{"model_sha256", "card_sha256"};
  for (const json* fingerprint : {&one, &other}) {
    for (const auto& [name, value] : fingerprint->items()) {
      names.insert(name);
    }
  }
  for (const std::string& name : names) {
    if (std::ranges::find(kOther, name) == kOther.end() &&
        recorded_setting(one, name) != recorded_setting(other, name)) {
      throw differs(name, recorded_setting(one, name).dump(), recorded_setting(other, name).dump());
    }
  }
  if (store::layer_of(a, array_a) != store::layer_of(b, array_b)) {
    throw differs("layer", store::layer_of(a, array_a), store::layer_of(b, array_b));
  }
  const json device_a = recorded_setting(one, "device");
  const json device_b = recorded_setting(other, "device");
  return device_a == device_b ? ""
                              : name_a + " was computed on " + device_a.dump() + " and " + name_b +
                                    " on " + device_b.dump() + ": low digits may differ";
}

}  // namespace longhaul::session
