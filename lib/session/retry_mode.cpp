#include "session/retry_mode.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "config/merged_retries.hpp"
#include "run/rejected_rows.hpp"
#include "session/disk_space.hpp"
#include "session/run_identity.hpp"
#include "session/run_report.hpp"
#include "session/session_checks.hpp"
#include "store/output_reader.hpp"
#include "store/retry_merge.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;

// What a retry may change and run.json names when it did.
constexpr std::array kChangeable{"too-long",   "window-overlap", "unknown",
                                 "max-pixels", "memory-limit",   "device-memory-limit",
                                 "batch-size", "batch-tokens",   "max-rejects",
                                 "strict"};

json retry_settings(const config::RunConfig& config) {
  return {{"too-long", to_string(config.too_long)},
          {"window-overlap", config.window_overlap ? json(*config.window_overlap) : json()},
          {"unknown", to_string(config.unknown)},
          {"max-pixels", config.max_pixels}};
}

void require_retryable(const std::optional<store::StoreState>& output, const std::string& name) {
  if (!output || !output->finish || !output->progress) {
    throw Error(ExitCode::kUsage,
                "--retry-rejects embeds the rejected rows of a complete output, and " + name +
                    (output ? " is not complete" : " holds no run"),
                "give the same command without --retry-rejects first");
  }
  if (output->version != store::kJournalVersion) {
    throw Error(ExitCode::kMismatch,
                name + " was made by an earlier version of longhaul, whose journal (version " +
                    std::to_string(output->version) + ") cannot be continued by this one",
                "give this command to that version, or embed anew with --overwrite in place of "
                "--retry-rejects");
  }
  if (output->begin.at("fingerprint").at("pooling") == "mean-compat") {
    throw Error(ExitCode::kUsage,
                "--retry-rejects embeds records apart from the batch they were in, and "
                "mean-compat depends on it",
                "embed the whole input again with other settings, into another --output");
  }
}

class RetryMode : public Mode {
 public:
  RetryMode(const config::RunConfig& config, const Host& host) : config_(config), host_(host) {
    output_ = open_output(true);
    require_retryable(output_->state(), config.output);
    if (rejected() > 0) {
      // What was looked at without the lock is looked at again with it.
      output_.reset();
      output_ = open_output(false);
      require_retryable(output_->state(), config.output);
    }
    require_no_shard(run_begin_from_json(finished().begin).shard, config.output);
    follows_ = begin_again();
    report_ = store::read_report(host.files, config.output);
    describe();
    if (rejected() > 0) {
      require_room_for_residues_anew(host.files, config.output, finished().layout);
    }
  }

  const RunFacts& facts() const override { return facts_; }
  store::StoreDirectory* directory() override { return directory_.get(); }
  const std::optional<RunBegin>& follows() const override { return follows_; }
  ExitCode already_finished(const encode::EncoderCard& card) override {
    if (facts_.nothing_to_do) {
      require_finished_input(config_, card, finished(), config_.output, host_);
      host_.log.info(config_.output + " has no rejected row: nothing to retry");
      return finished_code(finished());
    }
    const ExitCode code = finished_code(*directory_->state());
    deliver();
    return code;
  }
  void require_same_settings(const json& fingerprint) override {
    // What was given may be what goes without saying, as the card tells.
    for (json* settings : {&follows_->fingerprint, &follows_->retry->settings}) {
      (*settings)["window-overlap"] = fingerprint.value("window-overlap", json());
    }
    if (!facts_.nothing_to_do) {
      require_one_way_with_long_records();
    }
    require_same_fingerprint(follows_->fingerprint, fingerprint, config_.output);
    if (!directory_ && !facts_.nothing_to_do) {
      open_retry();
    }
  }

  bool settle(const json&, const Choices&) override { return true; }
  RunBegin begin(RunBegin) const override { return *follows_; }

  std::unique_ptr<input::DigestedReader> select(
      std::unique_ptr<input::RecordReader> whole,
      const std::function<std::unique_ptr<input::RecordReader>()>& again) override {
    look_at(*whole, again);
    auto reader = std::make_unique<input::SelectedReader>(
        std::move(whole),
        std::make_unique<run::RejectedRows>(
            host_.files, config_.output + "/" + store::store_files::kRejects, rejected()));
    reader_ = reader.get();
    return reader;
  }
  void reject_input() override {
    directory_.reset();
    store::discard_retry(host_.files, config_.output);
  }
  Conclusion conclude(const Counters& counters) override;
  nlohmann::ordered_json report(nlohmann::ordered_json run) const override;
  void deliver() override {
    directory_.reset();
    store::merge_retry(host_.files, config_.output);
    host_.log.info(again_ && again_->ok + again_->duplicates == 0
                       ? "no retried record has a vector now: the rows of " + config_.output +
                             " are as they were"
                       : "the retried rows are part of " + config_.output);
    output_.reset();
  }

 private:
  const store::StoreState& finished() const { return *output_->state(); }
  Counters before() const { return counters_from_json(finished().progress->counters); }
  std::uint64_t rejected() const { return before().rejected; }

  std::unique_ptr<store::StoreDirectory> open_output(bool finished_needs_none) const {
    return store::open_store(host_.files, config_.output,
                             {.holder = host_.facts.lock_holder,
                              .adopt = {},
                              .finished_needs_none = finished_needs_none});
  }

  void describe();
  void require_one_way_with_long_records() const;
  // What a file's size or time gives away; the rest is seen when the retry has read it all.
  void look_at(const input::RecordReader& whole,
               const std::function<std::unique_ptr<input::RecordReader>()>& again) const;
  // What the output began with, but for the settings that may change.
  RunBegin begin_again() const;
  // What is there of a retry with other settings, or damaged, is discarded.
  void open_retry();
  void require_same(input::DigestedReader& input) const;
  Counters merged(const Counters& again) const;
  ExitCode code(const Counters& merged) const;
  json changed_settings(const json& settings_now) const;

  const config::RunConfig& config_;
  const Host& host_;
  RunFacts facts_;
  std::unique_ptr<store::StoreDirectory> output_;     // where it goes when it is finished
  std::unique_ptr<store::StoreDirectory> directory_;  // the retry's own
  std::optional<RunBegin> follows_;
  json report_;                              // run.json of the output; empty where it is damaged
  input::DigestedReader* reader_ = nullptr;  // the session owns it
  std::optional<Counters> again_;            // of a retry that is complete
};

void RetryMode::describe() {
  facts_.path = store::retry_directory(config_.output);
  facts_.output = config_.output;
  facts_.whole = false;
  facts_.later_columns = finished().layout.later;
  facts_.stopping_limits = StoppingLimits::kNone;  // every one of its records was rejected once
  facts_.beginning =
      "retrying " + format_count(rejected()) + " rejected records of " + config_.output;
  facts_.continuing = "continuing the retry of " + config_.output;
  facts_.nothing_to_do = rejected() == 0;
}

void RetryMode::look_at(const input::RecordReader& whole,
                        const std::function<std::unique_ptr<input::RecordReader>()>& again) const {
  const std::vector<input::SourceIdentity> sources = whole.sources();
  if (input::are_files(sources) && whole.sources_tell_all() &&
      compare_sources(follows_->inputs, sources) == InputMatch::kReadAgain) {
    input::SelectedReader all(again(), std::make_unique<input::AllRecords>());
    require_same(all);
  }
}

RunBegin RetryMode::begin_again() const {
  RunBegin begin = run_begin_from_json(finished().begin);
  begin.inputs = recorded_sources(finished());
  const json settings = retry_settings(config_);
  for (const auto& [name, value] : settings.items()) {
    begin.fingerprint[name] = value;
  }
  begin.retry = RetryBegin{finished().retries, settings};
  return begin;
}

// Rows do not say which of two ways with long records they are of: none could be computed again.
void RetryMode::require_one_way_with_long_records() const {
  const json rows = fingerprint_as_retried(finished().begin.at("fingerprint"), report_);
  const json& retry = follows_->retry->settings;
  const auto in_words = [](const json& settings) {
    const json overlap = settings.value("window-overlap", json());
    return "--too-long " + settings.value("too-long", "reject") +
           (overlap.is_null() ? "" : " --window-overlap " + overlap.dump());
  };
  const std::string before = in_words(rows);
  const std::string now = in_words(retry);
  if (before != now && rows.value("too-long", "reject") != "reject" &&
      config_.too_long != TooLong::kReject) {
    throw Error(ExitCode::kUsage,
                config_.output + " was made with " + before + ", which a retry with " + now +
                    " would mix with another way",
                "give " + before + ", or embed the whole input into another --output");
  }
  if (config_.too_long == TooLong::kWindow && follows_->choices.order == Order::kInput) {
    throw Error(ExitCode::kUsage,
                config_.output + " was made with --order input, which knows no windows",
                "use --too-long truncate, or embed the whole input into another --output");
  }
}

void RetryMode::open_retry() {
  directory_ =
      store::open_store(host_.files, facts_.path, {.holder = host_.facts.lock_holder, .adopt = {}});
  try {
    if (!directory_->state() ||
        run_begin_from_json(directory_->state()->begin).retry == follows_->retry) {
      return;
    }
    host_.log.info("a retry with other settings was begun in " + config_.output +
                   ": it is discarded");
  } catch (const Error& error) {
    if (error.code() != ExitCode::kBadData) {
      throw;
    }
    host_.log.warning(std::string("the retry that was begun is damaged and begins anew: ") +
                      error.what());
  }
  directory_->clear();
}

void RetryMode::require_same(input::DigestedReader& input) const {
  const std::uint64_t found = input.read_to(input::SelectedReader::kEnd);
  const std::uint64_t records = finished().progress->input_records;
  if (found != records || input.position().digest != finished().progress->input_hash) {
    throw Error(ExitCode::kMismatch,
                config_.output + " was made from another input: " + format_count(records) +
                    " records then, " + format_count(found) + " now" +
                    (found == records ? ", with other content" : ""),
                "restore the input; a corrected one needs another --output, or --overwrite "
                "without --retry-rejects");
  }
}

Counters RetryMode::merged(const Counters& again) const {
  Counters all = before();
  all.ok += again.ok;
  all.duplicates += again.duplicates;
  all.rejected = again.rejected;
  all.rejected_by_reason = again.rejected_by_reason;
  all.truncated += again.truncated;
  all.substituted_records += again.substituted_records;
  all.substituted_characters += again.substituted_characters;
  all.gapped_records += again.gapped_records;
  all.gaps_removed += again.gaps_removed;
  all.windowed += again.windowed;
  all.windows += again.windows;
  all.stops_dropped += again.stops_dropped;
  all.looks_like_nucleotides += again.looks_like_nucleotides;
  all.residues += again.residues;
  all.reshaped += again.reshaped;
  all.computed_alone += again.computed_alone;
  all.stayed_not_finite = again.stayed_not_finite;
  return all;
}

// A limit was no reason to stop the retry; what is left above it is told by the exit code.
ExitCode RetryMode::code(const Counters& merged) const {
  const bool limited = config_.max_rejects.limited() || config_.strict;
  const double share =
      100.0 * static_cast<double>(merged.rejected) / static_cast<double>(merged.records);
  const bool above =
      merged.rejected >
          (config_.strict ? 0 : config_.max_rejects.count.value_or(merged.rejected)) ||
      share > config_.max_rejects.percent.value_or(share);
  return above ? ExitCode::kBadData : completed_code(merged, limited);
}

json RetryMode::changed_settings(const json& settings_now) const {
  json changed = json::object();
  const json before = report_.value("settings", json::object());
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

Conclusion RetryMode::conclude(const Counters& counters) {
  require_same(*reader_);
  again_ = counters;
  const Counters all = merged(counters);
  return {all, code(all), {{"counters", to_json(all)}}};
}

// The output's own settings and fingerprint stay, and "retries" says what was tried with which.
nlohmann::ordered_json RetryMode::report(nlohmann::ordered_json run) const {
  const json settings_now = run.at("settings");
  // What a replay needs: paths mean something from one directory only.
  for (const char* name : {"settings", "input_paths", "inputs", "model", "choices", "left_out",
                           "command", "working_directory", "merge", "shards", "generation"}) {
    if (report_.contains(name)) {
      run[name] = report_[name];
    }
  }
  json retries = report_.value("retries", json::array());
  run["fingerprint"] = finished().begin.at("fingerprint");
  json retry = {{"rows", rejected()},
                {"settings", follows_->retry->settings},
                {"changed", changed_settings(settings_now)}};
  if (again_) {
    retry["embedded"] = again_->ok;
    retry["still_rejected"] = again_->rejected;
  }
  retries.push_back(std::move(retry));
  run["retries"] = retries;
  return run;
}

}  // namespace

std::unique_ptr<Mode> retry_mode(const config::RunConfig& config, const Host& host) {
  return std::make_unique<RetryMode>(config, host);
}

json fingerprint_as_retried(json fingerprint, const nlohmann::ordered_json& report) {
  const config::MergedRetries merged = config::merge_retries(report);
  // What windows share is then as it was: a retry goes the same way with long records.
  const bool in_windows = fingerprint.value("too-long", json()) == "window";
  for (const auto& [name, value] : merged.settings.items()) {
    // One of before windows has no overlap.
    if (name == "window-overlap" ? !in_windows : fingerprint.contains(name)) {
      fingerprint[name] = value;
    }
  }
  return fingerprint;
}

}  // namespace longhaul::session
