// What makes two sessions the same run: the fingerprint of the settings that make the numbers, the
// identity of the input, and the choices that the first session made for all.
// Pure functions over JSON; any thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "config/run_config.hpp"
#include "encode/card.hpp"
#include "encode/encoder.hpp"
#include "input/record_reader.hpp"

namespace longhaul::app {

// Field -> value, for exactly the settings that make the numbers. `device_kind`: cpu, cuda, mps.
nlohmann::json fingerprint(const RunConfig& config, const EncoderCard& card,
                           const EncoderOptions& options, const std::string& model_sha256,
                           const std::string& device_kind);

// Throws Error(kMismatch) naming the first field that differs, with both values.
void require_same_fingerprint(const nlohmann::json& recorded, const nlohmann::json& now,
                              const std::string& output);

nlohmann::json describe_sources(const std::vector<SourceIdentity>& sources);

enum class InputMatch { kUnchanged, kReadAgain };
// kUnchanged: every source is the file it was, so what was read before need not be read again.
// Throws Error(kMismatch) when number or size of the sources says that the content differs.
InputMatch compare_sources(const nlohmann::json& recorded, const std::vector<SourceIdentity>& now,
                           const std::string& output);

// Brings `reader` to where a commit stood: by seeking, or by reading the records before it and
// comparing their hash; images whose names are the same and times are not, by their bytes. Throws
// Error(kMismatch) when they are not what was read before.
void find_position(RecordReader& reader, InputMatch match, const InputPosition& position,
                   const Hash128& hash, Files& files, const std::string& output);

// Of a finished run, after find_position: throws Error(kMismatch) where the sources hold more now.
void require_no_more(RecordReader& reader, const std::string& output);

}  // namespace longhaul::app
