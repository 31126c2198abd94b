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
#include "store/merged_output.hpp"
#include "store/output_reader.hpp"
#include "store/shards.hpp"

namespace longhaul::session {
namespace {

class PlainMode : public Mode {
 public:
  PlainMode(const config::RunConfig& config, const Host& host,
            const std::optional<Continuation>& continuation)
      : config_(config), host_(host), directory_(open(config, host, continuation)) {
    if (config.overwrite) {
      directory_->clear();
    }
    if (const auto& state = directory_->state();
        state && store::merged_shards(*state) && !state->finish) {
      throw Error(ExitCode::kInterrupted,
                  "the shards of " + printable(config.output, 400) + " are being merged",
                  "give longhaul merge " + shell_word(config.output) + " to finish that");
    }
    if (directory_->state()) {
      follows_ = run_begin_from_json(directory_->state()->begin);
      require_no_shard(follows_->shard, config.output);
    }
    facts_.path = config.output;
    facts_.output = config.output;
    if (directory_->state()) {
      facts_.later_columns = directory_->state()->layout.later;
    }
    facts_.continuing = "continuing " + config.output;
  }

  const RunFacts& facts() const override { return facts_; }
  store::StoreDirectory* directory() override { return directory_.get(); }
  const std::optional<RunBegin>& follows() const override { return follows_; }

  ExitCode already_finished(const encode::EncoderCard& card) override {
    require_finished_input(config_, card, *directory_->state(), config_.output, host_);
    host_.log.info(config_.output + " is complete: nothing to do");
    return finished_code(*directory_->state());
  }

  void require_same_settings(const nlohmann::json& fingerprint) override {
    // A run from the start with a retry's settings is what the retried output stands for.
    if (directory_->state()->retries > 0 &&
        same_fingerprint(
            fingerprint_as_retried(follows_->fingerprint,
                                   store::OutputReader(host_.files, config_.output).run()),
            fingerprint)) {
      return;
    }
    require_same_fingerprint(follows_->fingerprint, fingerprint, config_.output);
  }

  bool settle(const nlohmann::json&, const Choices&) override { return true; }
  RunBegin begin(RunBegin fresh) const override { return fresh; }

  std::unique_ptr<input::DigestedReader> select(
      std::unique_ptr<input::RecordReader> whole,
      const std::function<std::unique_ptr<input::RecordReader>()>&) override {
    return std::make_unique<input::SelectedReader>(std::move(whole),
                                                   std::make_unique<input::AllRecords>());
  }
  void reject_input() override {}
  Conclusion conclude(const Counters& counters) override {
    return {counters, completed_code(counters, config_.max_rejects.limited() || config_.strict),
            nlohmann::json::object()};
  }
  nlohmann::ordered_json report(nlohmann::ordered_json run) const override { return run; }
  void deliver() override { directory_.reset(); }

 private:
  static std::unique_ptr<store::StoreDirectory> open(
      const config::RunConfig& config, const Host& host,
      const std::optional<Continuation>& continuation) {
    if (config.overwrite && host.files.exists(config.output)) {
      store::remove_shards(host.files, config.output, host.facts.lock_holder);
    }
    return store::open_store(
        host.files, config.output,
        {.holder = host.facts.lock_holder,
         .adopt = continuation ? std::optional(continuation->lock) : std::nullopt,
         .finished_needs_none = !config.overwrite});
  }

  const config::RunConfig& config_;
  const Host& host_;
  std::unique_ptr<store::StoreDirectory> directory_;
  std::optional<RunBegin> follows_;
  RunFacts facts_;
};

}  // namespace

std::unique_ptr<Mode> plain_mode(const config::RunConfig& config, const Host& host,
                                 const std::optional<Continuation>& continuation) {
  return std::make_unique<PlainMode>(config, host, continuation);
}

std::unique_ptr<Mode> make_mode(const config::RunConfig& config, const Host& host,
                                const std::optional<Continuation>& continuation) {
  if (config.shard) {
    return shard_mode(config, host, continuation);
  }
  return config.retry_rejects ? retry_mode(config, host) : plain_mode(config, host, continuation);
}

}  // namespace longhaul::session
