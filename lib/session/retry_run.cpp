#include "session/retry_run.hpp"

#include <array>
#include <utility>

#include "base/text.hpp"
#include "session/run_identity.hpp"
#include "session/run_report.hpp"
#include "store/retry_merge.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;

// What a retry may change and run.json names when it did.
constexpr std::array kChangeable{
    "too-long",   "unknown",      "max-pixels",  "memory-limit", "device-memory-limit",
    "batch-size", "batch-tokens", "max-rejects", "strict"};

json retry_settings(const config::RunConfig& config) {
  return {{"too-long", to_string(config.too_long)},
          {"unknown", to_string(config.unknown)},
          {"max-pixels", config.max_pixels}};
}

}  // namespace

RetryRun::RetryRun(Files& files, const config::RunConfig& config,
                   const std::optional<store::StoreState>& output)
    : files_(files), config_(config) {
  if (!output || !output->finish || !output->progress) {
    throw Error(ExitCode::kUsage,
                "--retry-rejects embeds the rejected rows of a complete output, and " +
                    config.output + (output ? " is not complete" : " holds no run"),
                "give the same command without --retry-rejects first");
  }
  fingerprint_ = output->begin.at("fingerprint");
  if (fingerprint_.at("pooling") == "mean-compat") {
    throw Error(ExitCode::kUsage,
                "--retry-rejects embeds records apart from the batch they were in, and "
                "mean-compat depends on it",
                "embed the whole input again with other settings, into another --output");
  }
  before_ = counters_from_json(output->progress->counters);
  input_hash_ = output->progress->input_hash;
  records_ = output->progress->window_start;
  finish_ = *output->finish;
  begin_ = output->begin;
  begin_["inputs"] = recorded_sources(*output);
  const json settings = retry_settings(config);
  begin_["fingerprint"]["too-long"] = settings.at("too-long");
  begin_["fingerprint"]["unknown"] = settings.at("unknown");
  begin_["fingerprint"]["max-pixels"] = settings.at("max-pixels");
  begin_["retry"] = {{"after", output->retries}, {"settings", settings}};
  report_ = json::parse(read_text(files, config.output + "/" + store::store_files::kReport),
                        nullptr, false);
}

ExitCode RetryRun::code_before() const {
  return static_cast<ExitCode>(finish_.at("code").get<int>());
}

std::unique_ptr<store::StoreDirectory> RetryRun::open(const std::string& holder, Log& log) {
  auto directory = store::open_store(files_, store::retry_directory(config_.output),
                                     {.holder = holder, .adopt = {}});
  try {
    if (!directory->state() || directory->state()->begin.at("retry") == begin_.at("retry")) {
      return directory;
    }
    log.info("a retry with other settings was begun in " + config_.output + ": it is discarded");
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadData) {
      throw;
    }
    log.warning(std::string("the retry that was begun is damaged and begins anew: ") +
                error.what());
  }
  directory->clear();
  return directory;
}

std::unique_ptr<input::RecordReader> RetryRun::filter(std::unique_ptr<input::RecordReader> input) {
  auto reader = std::make_unique<run::RejectedReader>(
      std::move(input), files_, config_.output + "/" + store::store_files::kRejects,
      before_.rejected);
  reader_ = reader.get();
  return reader;
}

void RetryRun::require_same_input() {
  const run::RejectedReader::Whole whole = reader_->read_rest();
  if (whole.records != records_ || whole.hash != input_hash_) {
    throw Error(ExitCode::kMismatch,
                config_.output + " was made from another input: " + format_count(records_) +
                    " records then, " + format_count(whole.records) + " now" +
                    (whole.records == records_ ? ", with other content" : ""),
                "restore the input; corrected records need an --output of their own");
  }
}

Counters RetryRun::merged(const Counters& again) const {
  Counters all = before_;
  all.ok += again.ok;
  all.duplicates += again.duplicates;
  all.rejected = again.rejected;
  all.rejected_by_reason = again.rejected_by_reason;
  all.truncated += again.truncated;
  all.substituted_records += again.substituted_records;
  all.substituted_characters += again.substituted_characters;
  all.gapped_records += again.gapped_records;
  all.gaps_removed += again.gaps_removed;
  all.stops_dropped += again.stops_dropped;
  all.residues += again.residues;
  all.reshaped += again.reshaped;
  all.computed_alone += again.computed_alone;
  all.stayed_not_finite = again.stayed_not_finite;
  return all;
}

// A limit was no reason to stop the retry; what is left above it is told by the exit code.
ExitCode RetryRun::code(const Counters& merged) const {
  const bool limited = config_.max_rejects.limited() || config_.strict;
  const double share =
      100.0 * static_cast<double>(merged.rejected) / static_cast<double>(merged.records);
  const bool above =
      merged.rejected >
          (config_.strict ? 0 : config_.max_rejects.count.value_or(merged.rejected)) ||
      share > config_.max_rejects.percent.value_or(share);
  return above ? ExitCode::kBadData : completed_code(merged, limited);
}

json RetryRun::changed_settings(const json& settings_now) const {
  json changed = json::object();
  const json before =
      report_.is_object() ? report_.value("settings", json::object()) : json::object();
  for (const char* name : kChangeable) {
    const json was = before.value(json::json_pointer(std::string("/") + name + "/value"), json());
    const json now =
        settings_now.value(json::json_pointer(std::string("/") + name + "/value"), json());
    if (was != now) {
      changed[name] = {{"before", was}, {"now", now}};
    }
  }
  return changed;
}

nlohmann::ordered_json RetryRun::report(nlohmann::ordered_json session_report,
                                        const json& settings_now,
                                        const std::optional<Counters>& again) const {
  json retries = json::array();
  if (report_.is_object()) {
    // What a replay needs: paths mean something from one directory only.
    for (const char* name : {"settings", "input_paths", "inputs", "model", "choices", "left_out",
                             "command", "working_directory"}) {
      if (report_.contains(name)) {
        session_report[name] = report_[name];
      }
    }
    retries = report_.value("retries", json::array());
  }
  session_report["fingerprint"] = fingerprint_;
  json retry = {{"rows", before_.rejected},
                {"settings", begin_.at("retry").at("settings")},
                {"changed", changed_settings(settings_now)}};
  if (again) {
    retry["embedded"] = again->ok;
    retry["still_rejected"] = again->rejected;
  }
  retries.push_back(std::move(retry));
  session_report["retries"] = std::move(retries);
  return session_report;
}

json fingerprint_as_retried(json fingerprint, const nlohmann::ordered_json& report) {
  const config::MergedRetries merged = config::merge_retries(report);
  for (const auto& [name, value] : merged.settings.items()) {
    if (fingerprint.contains(name)) {
      fingerprint[name] = value;
    }
  }
  return fingerprint;
}

void RetryRun::merge() {
  store::merge_retry(files_, config_.output);
}

}  // namespace longhaul::session
