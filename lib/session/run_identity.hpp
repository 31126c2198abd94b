// What makes two sessions the same run: the fingerprint of the settings that make the numbers, the
// identity of the input, and the choices that the first session made for all.
// Pure functions over JSON; any thread.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/files.hpp"
#include "config/run_config.hpp"
#include "encode/card.hpp"
#include "encode/encoder.hpp"
#include "input/selected_reader.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::session {

// Field -> value, for exactly the settings that make the numbers. `device_kind`: cpu, cuda, mps.
nlohmann::json fingerprint(const config::RunConfig& config, const encode::EncoderCard& card,
                           const encode::EncoderOptions& options, const std::string& model_sha256,
                           const std::string& device_kind);

// A field of a fingerprint. In runs of before it was recorded a setting was what it is where nobody
// says anything; null for what is no setting.
nlohmann::json recorded_setting(const nlohmann::json& fingerprint, const std::string& name);
// Whether no field of `now` differs.
bool same_fingerprint(const nlohmann::json& recorded, const nlohmann::json& now);
// Throws Error(kMismatch) naming the first field that differs, with both values.
void require_same_fingerprint(
    const nlohmann::json& recorded, const nlohmann::json& now, const std::string& output,
    const std::string& remedy = "use the same setting, another --output, or --overwrite");

nlohmann::json describe_sources(const std::vector<input::SourceIdentity>& sources);

// Whether it is the file of an entry of describe_sources(), by all but its name; ctime only where
// it was recorded.
bool is_recorded_file(const nlohmann::json& before, const input::SourceIdentity& now);

// The same, as the sessions so far left it: that of the last one that found another.
nlohmann::json recorded_sources(const store::StoreState& state);

enum class InputMatch { kUnchanged, kReadAgain };
// kUnchanged: every source that was recorded is the file it was, so what was read before need not
// be read again; more may follow.
InputMatch compare_sources(const nlohmann::json& recorded,
                           const std::vector<input::SourceIdentity>& now);
// The same of what a reader has before it; kReadAgain where its files do not tell all (a list of
// images may have been completed).
InputMatch compare_input(const nlohmann::json& recorded, const input::RecordReader& now);

// Error(kMismatch) that says what of the input differs, and what to do.
Error other_input(const std::string& output, const std::string& what);

// Brings `reader` to where a commit's window starts: by seeking, or by reading the records before
// it and comparing their hash; images whose names are the same and times are not, by their bytes.
// Throws Error(kMismatch) when they are not what was read before, kInterrupted when `stop` says so.
void find_position(input::DigestedReader& reader, InputMatch match, const store::Progress& progress,
                   Files& files, const std::string& output, const std::function<bool()>& stop);

// Where the input was read again: whether the window in hand, at which `reader` stands, is the one
// that was begun. It is not where more follows at its end, or images have other times: `progress`
// claims nothing of it any more. Throws Error(kMismatch) where its records are others. `reader`
// gives what was looked at again.
bool keep_window(std::unique_ptr<input::RecordReader>& reader, store::Progress& progress,
                 const std::string& output);

// Of a finished run, after find_position: throws Error(kMismatch) where the sources hold more now.
void require_no_more(input::RecordReader& reader, const std::string& output);

}  // namespace longhaul::session
