// What `longhaul diff` says: for people, and as one JSON object.
// Pure functions but for printing; one thread.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "score/output_diff.hpp"

namespace longhaul::app {

struct DiffReport {
  const store::OutputReader& a;
  const store::OutputReader& b;
  const score::OutputDiff& diff;
  const score::DiffSettings& settings;
};

// "the same bits", "within 0.001", "not the same": the last line.
std::string verdict_of(const DiffReport& report);
void print_diff(const DiffReport& report, std::size_t columns);
nlohmann::ordered_json to_json(const DiffReport& report);

}  // namespace longhaul::app
