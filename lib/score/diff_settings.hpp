// What two outputs say of how they were made, side by side: the settings that make the numbers, the
// choices of their runs, the machine, the model.
// Pure functions over JSON; any thread.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "store/output_reader.hpp"

namespace longhaul::score {

struct ValuePair {
  std::string name;
  nlohmann::json a;  // null where it is not recorded
  nlohmann::json b;
};

struct ObjectDiff {
  std::size_t same = 0;
  std::vector<ValuePair> apart;
};

// Of two objects, each value by name; objects in them by "outer.inner".
ObjectDiff compare_objects(const nlohmann::json& a, const nlohmann::json& b);

// How an output was made, as its journal and its run.json say it: "settings", "choices", "machine",
// "model", "inputs", "bits". What is not recorded is absent.
nlohmann::json describe_origin(const store::OutputReader& output);

}  // namespace longhaul::score
