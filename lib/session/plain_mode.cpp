#include "session/plain_mode.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "session/output_state.hpp"
#include "session/retry_mode.hpp"
#include "session/run_identity.hpp"
#include "session/run_report.hpp"
#include "session/session_checks.hpp"
#include "session/shard_mode.hpp"
#include "session/update_mode.hpp"
#include "store/merged_output.hpp"
#include "store/output_reader.hpp"
#include "store/shards.hpp"

namespace longhaul::session {
namespace {

std::unique_ptr<store::StoreDirectory> open(const config::RunConfig& config, const Host& host,
                                            const std::optional<Continuation>& continuation,
                                            const std::string& path) {
  if (config.overwrite && host.files.exists(path)) {
    store::remove_shards(host.files, path, host.facts.lock_holder);
  }
  return store::open_store(
      host.files, path,
      {.holder = host.facts.lock_holder,
       .adopt = continuation ? std::optional(continuation->lock) : std::nullopt,
       .finished_needs_none = !config.overwrite});
}

}  // namespace

PlainMode::PlainMode(const config::RunConfig& config, const Host& host,
                     const std::optional<Continuation>& continuation, std::string path,
                     const std::vector<OlderOutput>& reuse)
    : config_(config),
      host_(host),
      path_(std::move(path)),
      // What cannot be reused is said before anything is deleted.
      older_(config.overwrite && !reuse.empty()
                 ? std::optional<OlderOutputs>(std::in_place, host.files, reuse, path_)
                 : std::nullopt),
      directory_(open(config, host, continuation, path_)) {
  if (config.overwrite) {
    directory_->clear();
  }
  const std::optional<store::StoreState>& state = directory_->state();
  if (state && store::merged_shards(*state) && !state->finish) {
    throw Error(ExitCode::kInterrupted,
                "the shards of " + printable(path_, 400) + " are being merged",
                "give longhaul merge " + shell_word(path_) + " to finish that");
  }
  if (!older_ && !reuse.empty() && !(state && state->finish)) {
    older_.emplace(host.files, reuse, path_);
  }
  facts_.path = path_;
  facts_.output = path_;
  facts_.continuing = "continuing " + path_;
  follow();
  if (state && older_) {
    older_->require_begun(*follows_, path_);
  }
}

void PlainMode::follow() {
  follows_.reset();
  if (const std::optional<store::StoreState>& state = directory_->state()) {
    follows_ = run_begin_from_json(state->begin);
    require_no_shard(follows_->shard, path_);
    facts_.later_columns = state->layout.later;
  } else if (older_) {
    follows_ = older_->followed(config_, host_.facts.threads);
  }
}

void PlainMode::discard() {
  directory_->clear();
  facts_.later_columns = {};
  follow();
}

ExitCode PlainMode::already_finished(const encode::EncoderCard& card) {
  try {
    require_finished_input(config_, card, *directory_->state(), path_, host_);
  } catch (const Error& error) {
    if (error.code() != ExitCode::kMismatch) {
      throw;
    }
    throw Error(error.code(), error.what(),
                error.remedy() + ", or give --update, which computes only what is new");
  }
  return tell_finished(path_, *directory_->state(), path_, host_.log);
}

void PlainMode::require_same_settings(const nlohmann::json& fingerprint) {
  if (older_) {
    older_->require_same_settings(fingerprint);
  }
  if (!directory_->state()) {
    return;
  }
  // A run from the start with a retry's settings is what the retried output stands for.
  if (directory_->state()->retries > 0 &&
      same_fingerprint(fingerprint_as_retried(follows_->fingerprint,
                                              store::OutputReader(host_.files, path_).run()),
                       fingerprint)) {
    return;
  }
  require_same_fingerprint(follows_->fingerprint, fingerprint, path_);
}

RunBegin PlainMode::begin(RunBegin fresh) const {
  return older_ ? older_->begin(std::move(fresh)) : fresh;
}

std::unique_ptr<input::DigestedReader> PlainMode::select(
    std::unique_ptr<input::RecordReader> whole,
    const std::function<std::unique_ptr<input::RecordReader>()>&) {
  return std::make_unique<input::SelectedReader>(std::move(whole),
                                                 std::make_unique<input::AllRecords>());
}

run::OlderRows* PlainMode::older_rows(const store::StoreLayout& layout) {
  if (older_) {
    rows_ = older_->rows(layout, config_.reuse_by, host_.log);
    host_.log.info("taking what is there of the " + format_count(rows_->rows()) + " rows of " +
                   older_->names());
  }
  return rows_.get();
}

Conclusion PlainMode::conclude(const Counters& counted) {
  Counters counters = counted;
  if (rows_) {
    counters.reuse.removed = rows_->gone(store::OutputReader(host_.files, path_).records());
    if (rows_->damaged() > 1) {
      host_.log.warning(format_count(rows_->damaged()) +
                        " damaged rows of older outputs were computed; longhaul verify names them");
    }
  }
  return {counters, completed_code(counters, config_.max_rejects.limited() || config_.strict),
          nlohmann::json::object()};
}

std::unique_ptr<Mode> plain_mode(const config::RunConfig& config, const Host& host,
                                 const std::optional<Continuation>& continuation) {
  return std::make_unique<PlainMode>(config, host, continuation, config.output,
                                     older_outputs(config));
}

std::unique_ptr<Mode> make_mode(const config::RunConfig& config, const Host& host,
                                const std::optional<Continuation>& continuation) {
  if (config.shard) {
    return shard_mode(config, host, continuation);
  }
  if (config.update) {
    return update_mode(config, host);
  }
  return config.retry_rejects ? retry_mode(config, host) : plain_mode(config, host, continuation);
}

}  // namespace longhaul::session
