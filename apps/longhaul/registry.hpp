// Explicit tables from names to what they make: inputs, preprocessors, encoder options.
// To add an input format or a modality, add its line here.
#pragma once

#include <memory>

#include "config/run_config.hpp"
#include "encode/card.hpp"
#include "encode/encoder.hpp"
#include "input/record_reader.hpp"
#include "prepare/preprocessor.hpp"

namespace longhaul::app {

using DuplicateOf = std::function<std::optional<std::uint64_t>(const prepare::Prepared& prepared)>;

// `log`, when given, is told what the input was taken for; it must outlive the reader.
std::unique_ptr<input::RecordReader> make_reader(const config::RunConfig& config,
                                                 const encode::EncoderCard& card,
                                                 std::function<bool()> stop, Log* log = nullptr);
std::unique_ptr<prepare::Preprocessor> make_preprocessor(const config::RunConfig& config,
                                                         const encode::EncoderCard& card,
                                                         std::uint32_t workers,
                                                         const DuplicateOf& duplicate_of);
// Settings that make the numbers, with the card's defaults filled in.
encode::EncoderOptions encoder_options(const config::RunConfig& config,
                                       const encode::EncoderCard& card, std::uint32_t threads);
// Tokens per record that --max-length and the card allow; nothing: unlimited.
std::optional<std::uint32_t> max_tokens(const config::RunConfig& config,
                                        const encode::EncoderCard& card);

}  // namespace longhaul::app
