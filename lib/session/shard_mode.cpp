#include "session/shard_mode.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "session/plain_mode.hpp"
#include "session/run_identity.hpp"
#include "session/run_report.hpp"
#include "session/session_checks.hpp"
#include "session/shard_choices.hpp"
#include "session/shard_index.hpp"
#include "store/merged_output.hpp"
#include "store/output_reader.hpp"
#include "store/shards.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;

Shard shard_of(const config::RunConfig& config) {
  if (!config.shard || !config.shard->index || !config.shard->count) {
    throw Error(ExitCode::kInternal, "a session was begun before it was known which shard it is");
  }
  return {*config.shard->index, *config.shard->count};
}

class ShardMode : public Mode {
 public:
  ShardMode(const config::RunConfig& config, const Host& host,
            const std::optional<Continuation>& continuation, bool merging)
      : config_(config),
        host_(host),
        merging_(merging),
        shard_(shard_of(config)),
        made_output_(!host.files.exists(config.output)) {
    describe();
    try {
      open(continuation);
    } catch (...) {
      leave_nothing();
      throw;
    }
  }
  ~ShardMode() override { leave_nothing(); }
  ShardMode(const ShardMode&) = delete;
  ShardMode& operator=(const ShardMode&) = delete;

  const RunFacts& facts() const override { return facts_; }
  store::StoreDirectory* directory() override { return directory_.get(); }
  const std::optional<RunBegin>& follows() const override { return follows_; }

  ExitCode already_finished(const encode::EncoderCard& card) override {
    require_finished_input(config_, card, *directory_->state(), facts_.path, host_,
                           [this](auto whole) { return divided(std::move(whole)); });
    return tell_finished(name(), *directory_->state(), facts_.path, host_.log);
  }

  void require_same_settings(const json& fingerprint) override {
    require_same_fingerprint(follows_->fingerprint, fingerprint, config_.output, kOtherSetting);
  }
  bool settle(const json& fingerprint, const Choices& choices) override;
  RunBegin begin(RunBegin fresh) const override {
    fresh.shard = shard_;
    fresh.index = index_.identity();
    return fresh;
  }

  std::unique_ptr<input::DigestedReader> select(
      std::unique_ptr<input::RecordReader> whole,
      const std::function<std::unique_ptr<input::RecordReader>()>&) override {
    auto reader = divided(std::move(whole));
    reader_ = reader.get();
    return reader;
  }
  void reject_input() override {}
  // Rejects are no failure of a shard: schedulers would take them for one.
  Conclusion conclude(const Counters& counters) override {
    reader_->read_to(input::DigestedReader::kEnd);
    const input::InputPosition end = reader_->position();
    return {counters, ExitCode::kDone,
            to_json(ShardFinish{{end.position, end.digest}, {end.row, end.selected}})};
  }
  nlohmann::ordered_json report(nlohmann::ordered_json run) const override {
    run["shard"] = {{"index", shard_.index}, {"count", shard_.count}};
    return run;
  }
  void deliver() override { directory_.reset(); }

 private:
  static constexpr const char* kOtherSetting =
      "use the same setting, name another --output, or remove the folder shards there to begin all "
      "of them anew";

  std::string name() const { return in_words(shard_) + " of " + printable(config_.output, 400); }
  void describe() {
    facts_.path = store::shard_directory(config_.output, shard_);
    facts_.output = facts_.path;
    facts_.whole = false;
    facts_.stopping_limits = StoppingLimits::kCount;  // what share of all is bad, merging can tell
    facts_.beginning = name();
    facts_.continuing = "continuing " + name();
  }
  void open(const std::optional<Continuation>& continuation);
  std::unique_ptr<input::DigestedReader> divided(std::unique_ptr<input::RecordReader> whole) const;
  void require_no_plain_run() const;
  void follow_choices();
  void require_count(const ShardChoices& choices) const;
  void leave_nothing();

  const config::RunConfig& config_;
  const Host& host_;
  const bool merging_;  // OUT has a journal, which a merge began
  const Shard shard_;
  RunFacts facts_;
  const bool made_output_;
  ShardIndex index_;
  std::unique_ptr<store::StoreDirectory> directory_;
  std::optional<ShardChoices> settled_;
  std::optional<RunBegin> follows_;
  input::DigestedReader* reader_ = nullptr;  // the session owns it
};

void ShardMode::open(const std::optional<Continuation>& continuation) {
  Files& files = host_.files;
  if (!made_output_) {
    require_no_plain_run();
    store::require_room_for_shards(files, config_.output);
  }
  directory_ =
      store::open_store(files, facts_.path,
                        {.holder = host_.facts.lock_holder,
                         .adopt = continuation ? std::optional(continuation->lock) : std::nullopt,
                         .finished_needs_none = !config_.overwrite});
  require_no_plain_run();
  settled_ = read_shard_choices(files, config_.output);
  if (settled_) {
    require_count(*settled_);
  }
  index_ = ShardIndex(files, config_.output);
  facts_.sha256 = index_.sha256();
  if (settled_) {
    index_.require(settled_->index);
  }
  if (config_.overwrite) {
    directory_->clear();
  }
  if (const auto begun = settled_ ? std::nullopt : begun_shards(files, config_.output)) {
    index_.require(begun->index);
  }
  if (!directory_->state()) {
    if (settled_) {
      follow_choices();
    }
    return;
  }
  follows_ = run_begin_from_json(directory_->state()->begin);
  facts_.later_columns = directory_->state()->layout.later;
  index_.require(follows_->index);
  if (follows_->shard != shard_) {
    throw Error(ExitCode::kMismatch,
                printable(facts_.path, 400) + " holds " +
                    (follows_->shard ? in_words(*follows_->shard) : "no shard"),
                "give it its own name again, or remove it");
  }
  if (settled_) {
    require_same_fingerprint(settled_->fingerprint, follows_->fingerprint, facts_.path,
                             kOtherSetting);
  }
}

// A plain run that has the output now: whichever of the two looks last sees the other.
void ShardMode::require_no_plain_run() const {
  Files& files = host_.files;
  const std::string name = printable(config_.output, 400);
  if (!merging_ && files.exists(store::path_in(config_.output, store::store_files::kJournal))) {
    throw Error(ExitCode::kMismatch, name + " was begun without --shard, and the two do not mix",
                "leave --shard out, or name another --output");
  }
  if (const std::string holder = store::holder_of(files, config_.output); !holder.empty()) {
    throw Error(ExitCode::kUnavailable, name + " is in use by " + holder,
                "wait for it to end, or name another --output");
  }
}

std::unique_ptr<input::DigestedReader> ShardMode::divided(
    std::unique_ptr<input::RecordReader> whole) const {
  return index_.reader(std::move(whole), shard_, config_, &host_.log);
}

// With the choices of whoever came first, on a device of this process.
void ShardMode::follow_choices() {
  RunBegin begin;
  begin.fingerprint = settled_->fingerprint;
  begin.choices = settled_->choices;
  begin.choices.threads = config_.threads.value_or(host_.facts.threads);
  if (config_.device != "auto") {
    begin.choices.device = config_.device;
  }
  follows_ = std::move(begin);
}

void ShardMode::require_count(const ShardChoices& choices) const {
  if (choices.shards != shard_.count) {
    throw Error(ExitCode::kMismatch,
                printable(config_.output, 400) + " is divided into " +
                    format_count(choices.shards) + " shards, and this is " + in_words(shard_),
                "give --shard with that number, name another --output, or remove the folder "
                "shards there to begin all of them anew");
  }
}

bool ShardMode::settle(const json& fingerprint, const Choices& choices) {
  if (settled_) {
    return true;
  }
  const ShardChoices mine{shard_.count, fingerprint, choices, index_.identity()};
  settled_ = settle_shard_choices(host_.files, config_.output, shard_, mine);
  require_count(*settled_);
  index_.require(settled_->index);
  require_same_fingerprint(settled_->fingerprint, fingerprint, config_.output, kOtherSetting);
  if (follows_) {
    return true;  // it began before, with what it has
  }
  const bool same = to_json(*settled_) == to_json(mine);
  if (!same) {
    follow_choices();
  }
  return same;
}

// Folders that were made for a shard that never began are removed again.
void ShardMode::leave_nothing() {
  directory_.reset();
  if (settled_) {
    return;
  }
  try {
    host_.files.remove_directory(store::shards_directory(config_.output));
    if (made_output_) {
      host_.files.remove_directory(config_.output);
    }
  } catch (const Error&) {
    // They hold something: others' work.
  }
}

// An output that was merged from shards, or is about to be; nothing for any other.
struct Merged {
  std::uint64_t shards = 0;
  bool finished = false;
};
std::optional<Merged> merged_output(Files& files, const std::string& output) {
  const auto state = store::read_store_if_begun(files, output);
  const auto shards = state ? store::merged_shards(*state) : std::nullopt;
  if (!shards) {
    return std::nullopt;
  }
  return Merged{*shards, state->finish.has_value() || state->merging};
}

}  // namespace

std::unique_ptr<Mode> shard_mode(const config::RunConfig& config, const Host& host,
                                 const std::optional<Continuation>& continuation) {
  const std::optional<Merged> merged = merged_output(host.files, config.output);
  const Shard shard = shard_of(config);
  // A shard that a merge found damaged is embedded anew, and gone on with like any other.
  if (!merged || (!merged->finished &&
                  (config.overwrite || !store::is_finished(host.files, config.output, shard)))) {
    return std::make_unique<ShardMode>(config, host, continuation, merged.has_value());
  }
  const std::string name = printable(config.output, 400);
  if (!merged->finished) {
    throw Error(ExitCode::kInterrupted, "the shards of " + name + " are being merged",
                "give longhaul merge " + shell_word(config.output) + " to finish that");
  }
  const std::string what =
      name + " is complete, merged from " + format_count(merged->shards) + " shards";
  if (merged->shards != shard.count) {
    throw Error(ExitCode::kMismatch, what + ", and this is " + in_words(shard),
                "leave --shard out, or name another --output");
  }
  if (config.overwrite) {
    throw Error(ExitCode::kMismatch, what + ": --overwrite with --shard would begin a part anew",
                "leave out --overwrite, or name another --output");
  }
  return plain_mode(config, host, continuation);
}

}  // namespace longhaul::session
