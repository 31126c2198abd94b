// What a model is asked for: settings that make the numbers, with the card's defaults filled in.
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "config/run_config.hpp"
#include "encode/card.hpp"
#include "encode/encoder.hpp"
#include "prepare/sequence_preprocessor.hpp"

namespace longhaul::session {

encode::EncoderOptions encoder_options(const config::RunConfig& config,
                                       const encode::EncoderCard& card, std::uint32_t threads);

// The encoder's outputs with the types that they have in files.
std::vector<OutputSpec> stored_outputs(const config::RunConfig& config,
                                       std::vector<OutputSpec> outputs);

// The run's, else the card's.
Normalize normalize_of(const config::RunConfig& config, const encode::EncoderCard& card);

// Tokens per record that --max-length and the card allow; nothing: unlimited. Throws Error(kUsage)
// for a --max-length above the card's.
std::optional<std::uint32_t> max_tokens(const config::RunConfig& config,
                                        const encode::EncoderCard& card);

// Residues that two windows of a long record share, where they are not the quarter of a window that
// goes without saying.
std::optional<std::uint32_t> told_overlap(const config::RunConfig& config,
                                          const encode::EncoderCard& card);

// How records become tokens.
prepare::SequencePolicy sequence_policy(const config::RunConfig& config,
                                        const encode::EncoderCard& card);

}  // namespace longhaul::session
