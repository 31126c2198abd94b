#include "session/encoder_options.hpp"

#include "base/error.hpp"

namespace longhaul::session {

encode::EncoderOptions encoder_options(const config::RunConfig& config,
                                       const encode::EncoderCard& card, std::uint32_t threads) {
  encode::EncoderOptions options;
  options.model_path = config.model;
  options.device = config.device;
  options.card_path = config.card;
  options.model_sha256 = config.model_sha256;
  options.pooling = config.pooling.value_or(card.pooling);
  options.normalize = normalize_of(config, card);
  options.dtype = config.dtype;
  options.threads = threads;
  options.cpu_kernels = config.cpu_kernels;
  options.cpu_isa = config.cpu_isa;
  options.cpu_passes = config.cpu_passes;
  options.layers = config.layers;
  options.tokens = config.tokens || options.pooling == Pooling::kNone;
  return options;
}

std::vector<OutputSpec> stored_outputs(const config::RunConfig& config,
                                       std::vector<OutputSpec> outputs) {
  for (OutputSpec& output : outputs) {
    output.dtype = output.kind == ArrayKind::kTokens ? config.tokens_dtype : config.output_dtype;
  }
  return outputs;
}

Normalize normalize_of(const config::RunConfig& config, const encode::EncoderCard& card) {
  return config.normalize.value_or(card.normalize);
}

std::optional<std::uint32_t> max_tokens(const config::RunConfig& config,
                                        const encode::EncoderCard& card) {
  if (config.max_length && card.max_tokens) {
    if (*config.max_length > *card.max_tokens) {
      throw Error(ExitCode::kUsage,
                  "--max-length " + std::to_string(*config.max_length) + " is above the " +
                      std::to_string(*card.max_tokens) + " tokens this model can take",
                  "leave it out to use the model's own limit");
    }
    return config.max_length;
  }
  return config.max_length ? config.max_length : card.max_tokens;
}

std::optional<std::uint32_t> told_overlap(const config::RunConfig& config,
                                          const encode::EncoderCard& card) {
  const std::optional<std::uint32_t> limit = max_tokens(config, card);
  if (config.too_long != TooLong::kWindow || card.modality == Modality::kImage || !limit) {
    return config.window_overlap;
  }
  const std::uint32_t special =
      (card.alphabet.prepend ? 1U : 0U) + (card.alphabet.append ? 1U : 0U);
  const bool goes_without_saying =
      *limit > special && config.window_overlap == prepare::usual_overlap(*limit - special);
  return goes_without_saying ? std::nullopt : config.window_overlap;
}

prepare::SequencePolicy sequence_policy(const config::RunConfig& config,
                                        const encode::EncoderCard& card) {
  const std::optional<std::uint32_t> limit = max_tokens(config, card);
  return {.max_tokens = limit,
          .limit_is_models = limit == card.max_tokens,
          .truncate = config.too_long == TooLong::kTruncate,
          .windows = config.too_long == TooLong::kWindow,
          .overlap = config.window_overlap,
          .substitute_unknown = config.unknown == Unknown::kToken,
          .remove_gaps = config.gaps == Gaps::kRemove,
          .nucleotides_expected = config.allow_nucleotides};
}

}  // namespace longhaul::session
