#include "session/recompute.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/log.hpp"
#include "plan/memory_governor.hpp"
#include "plan/window.hpp"
#include "run/batch_encoder.hpp"
#include "run/record_gatherer.hpp"

namespace longhaul::session {

RecordAgain embed_again(const Recipe& recipe, Record record) {
  prepare::Prepared prepared = recipe.preprocessor.measure(std::move(record));
  if (prepared.defect) {
    return {};
  }
  const bool image = recipe.card.modality == Modality::kImage;
  const std::uint32_t width =
      image ? 1 : plan::rung_of(prepared.tokens, recipe.card.max_tokens, recipe.rows.rungs);
  constexpr double kNoLimit = 1e15;
  plan::MemoryGovernor governor({.start_budget = kNoLimit,
                                 .part_cost = kNoLimit,
                                 .host_limit_bytes = std::nullopt,
                                 .device_limit_bytes = std::nullopt});
  NullLog log;
  run::BatchEncoder encoder(recipe.encoder, recipe.fp32_fallback, governor, log);
  run::RecordGatherer gatherer(recipe.encoder.outputs(), recipe.normalize);
  const std::uint32_t rows = recipe.rows.rows(width);
  const std::uint32_t at_a_time = std::max(rows, 1U);
  const std::uint32_t segments = std::max(prepared.segments, 1U);
  RecordAgain again{{}, false};
  for (std::uint32_t first = 0; first < segments; first += at_a_time) {
    std::vector<prepare::Row> part;
    for (std::uint32_t i = first; i < std::min(first + at_a_time, segments); ++i) {
      part.push_back({&prepared, i});
    }
    const prepare::Assembled assembled = recipe.preprocessor.assemble(part, width, rows);
    if (!assembled.rejected.empty()) {
      return {};
    }
    run::BatchEncoder::Result result = encoder.encode({&assembled.batch, 1});
    again.reshaped = again.reshaped || result.reshaped > 0;
    gatherer.gather(part, result);
    std::vector<std::span<const float>> numbers;
    if (result.rows.count() == 0 || !result.failures.empty()) {
      continue;  // its last segment is not here, or one has no numbers
    }
    for (const std::span<const float> output : result.rows.row(0, numbers)) {
      again.outputs.emplace_back(output.begin(), output.end());
    }
  }
  return again;
}

}  // namespace longhaul::session
