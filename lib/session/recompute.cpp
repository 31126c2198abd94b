#include "session/recompute.hpp"

#include <optional>
#include <span>
#include <utility>

#include "base/log.hpp"
#include "plan/memory_governor.hpp"
#include "plan/window.hpp"
#include "run/batch_encoder.hpp"

namespace longhaul::session {

RecordAgain embed_again(const Recipe& recipe, Record record) {
  prepare::Prepared prepared = recipe.preprocessor.measure(std::move(record));
  if (prepared.defect) {
    return {};
  }
  const bool image = recipe.card.modality == Modality::kImage;
  const std::uint32_t width = image ? 1 : plan::rung_of(prepared.tokens, recipe.card.max_tokens);
  prepare::Prepared* const one = &prepared;
  const prepare::Assembled assembled =
      recipe.preprocessor.assemble({&one, 1}, width, recipe.rows.rows(width));
  if (!assembled.rejected.empty()) {
    return {};
  }
  constexpr double kNoLimit = 1e15;
  plan::MemoryGovernor governor({.start_budget = kNoLimit,
                                 .part_cost = kNoLimit,
                                 .host_limit_bytes = std::nullopt,
                                 .device_limit_bytes = std::nullopt});
  NullLog log;
  // One for each: a share of rows without numbers is a run's affair, here each is a finding.
  run::BatchEncoder encoder(recipe.encoder, recipe.fp32_fallback, governor, log, {});
  run::BatchEncoder::Result result = encoder.encode({&assembled.batch, 1});
  RecordAgain again{{}, result.reshaped > 0};
  if (result.failures.empty()) {
    std::vector<std::span<const float>> numbers;
    for (const std::span<const float> output : result.rows.row(0, numbers)) {
      again.outputs.emplace_back(output.begin(), output.end());
    }
  }
  return again;
}

}  // namespace longhaul::session
