// Explicit tables from names to what they make: inputs, preprocessors.
// To add an input format or a modality, add its line here.
#pragma once

#include <memory>

#include "backend.hpp"
#include "config/run_config.hpp"
#include "encode/card.hpp"
#include "input/record_reader.hpp"
#include "prepare/preprocessor.hpp"
#include "session/workshop.hpp"

namespace longhaul::app {

// `log`, when given, is told what the input was taken for; it must outlive the reader.
std::unique_ptr<input::RecordReader> make_reader(const config::RunConfig& config,
                                                 const encode::EncoderCard& card,
                                                 std::function<bool()> stop, Log* log = nullptr);
std::unique_ptr<prepare::Preprocessor> make_preprocessor(const config::RunConfig& config,
                                                         const encode::EncoderCard& card,
                                                         std::uint32_t workers,
                                                         const session::DuplicateOf& duplicate_of);

// These, and the back-end's encoders, for a session.
session::Workshop make_workshop(const Backend& backend);

}  // namespace longhaul::app
