#include "score/diff_settings.hpp"

#include <algorithm>
#include <set>

namespace longhaul::score {
namespace {

using nlohmann::json;

json flat(const json& object) {
  json out = json::object();
  for (const auto& [name, value] : object.items()) {
    if (!value.is_object()) {
      out[name] = value;
      continue;
    }
    const json parts = flat(value);
    for (const auto& [inner, part] : parts.items()) {
      out[name + "." + inner] = part;
    }
  }
  return out;
}

}  // namespace

ObjectDiff compare_objects(const json& a, const json& b) {
  const json left = a.is_object() ? flat(a) : json::object();
  const json right = b.is_object() ? flat(b) : json::object();
  std::set<std::string> names;
  for (const json* object : {&left, &right}) {
    for (const auto& [name, value] : object->items()) {
      names.insert(name);
    }
  }
  ObjectDiff diff;
  for (const std::string& name : names) {
    ValuePair pair{name, left.value(name, json(nullptr)), right.value(name, json(nullptr))};
    if (pair.a == pair.b) {
      ++diff.same;
    } else {
      diff.apart.push_back(std::move(pair));
    }
  }
  return diff;
}

json describe_origin(const store::OutputReader& output) {
  const json run = output.run();
  const json begin = output.claims() ? output.claims()->run.begin : run;
  json origin = json::object();
  const auto copy = [&](const json& from, const char* pointer, const char* as) {
    const json::json_pointer place(pointer);
    if (from.is_object() && from.contains(place)) {
      origin[as] = from.at(place);
    }
  };
  copy(begin, "/fingerprint", "settings");
  copy(begin, "/choices", "choices");
  copy(begin, "/bits_machine", "machine");
  copy(run, "/model", "model");
  copy(run, "/card/name", "card");
  copy(run, "/input_paths", "inputs");
  copy(run, "/bits", "bits");
  copy(run, "/retries", "retries");
  return origin;
}

}  // namespace longhaul::score
