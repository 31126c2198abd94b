#include "embed_session.hpp"

#include <iostream>
#include <set>

#include "base/text.hpp"
#include "plan/model_memory_check.hpp"
#include "prepare/image_settings.hpp"
#include "progress.hpp"
#include "recycle.hpp"
#include "registry.hpp"
#include "run/pipeline.hpp"
#include "run_environment.hpp"
#include "session/auto_settings.hpp"
#include "session/encoder_options.hpp"
#include "session/fp32_fallback.hpp"
#include "session/input_hashes.hpp"
#include "session/memory_log.hpp"
#include "session/output_state.hpp"
#include "session/resume_scan.hpp"
#include "session/retry_run.hpp"
#include "session/run_identity.hpp"
#include "session/run_json.hpp"
#include "session/run_report.hpp"
#include "session/session_checks.hpp"
#include "session_display.hpp"
#include "signals.hpp"
#include "store/retry_merge.hpp"
#include "version.hpp"

namespace longhaul::app {
using namespace session;
namespace {

using Clock = std::chrono::steady_clock;

void print_json(const nlohmann::ordered_json& summary) {
  std::cout << summary.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
            << std::endl;
}

class Session {
 public:
  explicit Session(const SessionInputs& inputs)
      : inputs_(inputs),
        config_(inputs.resolved.config),
        workshop_(make_workshop(inputs.backend)),
        log_(*inputs.console),
        files_(posix_files()),
        started_(Clock::now() -
                 (inputs.continuation ? inputs.continuation->spent : std::chrono::milliseconds(0))),
        sanity_(log_) {}

  ExitCode run() {
    open_output();
    if (retry_ && retry_->rejected() == 0) {
      log_.info(config_.output + " has no rejected row: nothing to retry");
      return close(retry_->code_before());
    }
    read_card();
    if (directory_->state() && directory_->state()->finish) {
      return retry_ ? merge(finished_code()) : already_finished();
    }
    reader_ = make_reader(
        config_, model_.card, [this] { return stop_requested(); }, &log_);
    if (retry_) {
      reader_ = retry_->filter(std::move(reader_));
    }
    check_input();
    find_input_position();
    require_space(*files_, config_, *reader_, {model_.card.dimension, resumed_});
    load_encoder();
    choose();
    open_store();
    return embed();
  }

 private:
  std::unique_ptr<store::StoreDirectory> open_directory(bool finished_needs_no_lock) {
    return longhaul::store::open_store(
        *files_, config_.output,
        {.holder = lock_holder(),
         .adopt = inputs_.continuation ? std::optional(inputs_.continuation->lock) : std::nullopt,
         .finished_needs_none = finished_needs_no_lock});
  }

  void open_output() {
    directory_ = open_directory(!config_.overwrite);
    if (config_.overwrite) {
      directory_->clear();
    }
    if (config_.retry_rejects) {
      retry_.emplace(*files_, config_, directory_->state());
      if (retry_->rejected() > 0) {
        directory_.reset();
        directory_ = open_directory(false);
        retry_.emplace(*files_, config_, directory_->state());
      }
      output_ = std::move(directory_);
      begin_ = retry_->begin();
      follows_ = true;
      if (retry_->rejected() == 0) {
        return;
      }
      directory_ = retry_->open(lock_holder(), log_);
    }
    if (directory_->state()) {
      begin_ = directory_->state()->begin;
      follows_ = resumed_ = true;
    }
  }

  void read_card() {
    threads_ = config_.threads.value_or(inputs_.usable.threads);
    model_ = workshop_.read_model(config_.model, config_.card, config_.model_sha256);
    options_ = encoder_options(config_, model_.card, threads_);
    if (follows_) {
      options_.choices = begin_.at("choices").at("encoder");
      if (config_.device == "auto") {
        options_.device = begin_.at("choices").at("device").get<std::string>();
      }
      // What a device of this kind would be; an explicit other kind is a mismatch, said early.
      const std::string kind = options_.device.substr(0, options_.device.find(':'));
      const nlohmann::json now = fingerprint(config_, model_.card, options_, model_.sha256(), kind);
      if (retry_ || directory_->state()->retries == 0 ||
          !same_fingerprint(fingerprint_as_retried(begin_.at("fingerprint"),
                                                   read_report(*files_, config_.output)),
                            now)) {
        require_same_fingerprint(begin_.at("fingerprint"), now, config_.output);
      }
    }
  }

  ExitCode finished_code() const {
    return static_cast<ExitCode>(directory_->state()->finish->at("code").get<int>());
  }

  ExitCode already_finished() {
    require_finished_input(config_, model_.card, *directory_->state(), workshop_,
                           &StopSignals::requested, log_);
    log_.info(config_.output + " is complete: nothing to do");
    return close(finished_code());
  }

  void check_input() {
    sources_ = reader_->sources();
    require_recyclable(config_, sources_);
    if (follows_) {
      // Where files do not tell all (a list of images may have been completed), what an earlier
      // session read is looked at again, unless this one continues in its place.
      match_ = reader_->sources_tell_all() || inputs_.continuation
                   ? compare_sources(
                         resumed_ ? recorded_sources(*directory_->state()) : begin_.at("inputs"),
                         sources_)
                   : InputMatch::kReadAgain;
    }
  }

  void load_encoder() {
    const Clock::time_point start = Clock::now();
    const device::MemoryReading before = sanity_.checked(host_memory_.read());
    plan::require_room_for_model(files_->open(config_.model, OpenMode::kRead)->size(), before,
                                 host_limit(config_, before));
    encoder_ = workshop_.make_encoder(model_, options_, log_);
    log_.info(model_.card.name + " on " + encoder_->device().name() + ", " +
              std::string(to_string(config_.dtype)) + ", " +
              std::string(to_string(options_.pooling)) + ", " +
              std::to_string(encoder_->dimension()) + " dimensions, loaded in " +
              format_duration(Clock::now() - start));
    if (follows_) {
      require_same_fingerprint(begin_.at("fingerprint"),
                               fingerprint(config_, model_.card, options_, model_.sha256(),
                                           device_kind(encoder_->device())),
                               config_.output);
    }
    const std::uint32_t workers = config_.workers.value_or(threads_);
    preprocessor_ = make_preprocessor(config_, model_.card, workers, duplicate_finder());
  }

  // Empty where nobody asked for it. A retry does not compare: what repeats a row that has a vector
  // gets one of its own.
  DuplicateOf duplicate_finder() {
    if (config_.skip_duplicates == SkipDuplicates::kOff || retry_) {
      return {};
    }
    if (model_.card.modality != Modality::kImage) {
      throw Error(ExitCode::kUsage, "--skip-duplicates is for images", "leave it out");
    }
    return first_finder(duplicates_.emplace(duplicate_key(config_)));
  }

  void choose() {
    choices_ = follows_ ? begin_.at("choices")
                        : make_choices(config_, model_.card,
                                       {.device_kind = device_kind(encoder_->device()),
                                        .parts = encoder_->rows_policy(),
                                        .choices = encoder_->choices()},
                                       threads_);
    settings_ = pipeline_settings(config_, model_.card, choices_, encoder_->concurrency());
    governor_.emplace(governor_settings(config_, model_.card, settings_, read_memory(), *encoder_));
    contract_ = require_contract(*encoder_, model_.card, config_, settings_, *governor_, log_);
    if (retry_) {
      settings_.rejects = {};  // every record of a retry was rejected once
    }
  }

  void open_store() {
    const store::StoreLayout layout{
        .dimension = encoder_->dimension(),
        .dtype = config_.output_dtype,
        .kept_columns = output_columns(config_, *reader_),
        .gaps_column = !follows_ || (retry_ ? output_ : directory_)->state()->layout.gaps_column};
    const nlohmann::json bits_machine =
        describe_bits_machine(encoder_->device(), inputs_.environment);
    const std::string work = retry_ ? store::retry_directory(config_.output) : config_.output;
    previous_ = resumed_ ? previous_report(*files_, work, log_) : nlohmann::json::object();
    if (retry_ && previous_.empty()) {
      previous_ = previous_report(*files_, config_.output, log_);
    }
    if (resumed_) {
      const bool other_input = describe_sources(sources_) != recorded_sources(*directory_->state());
      store_ = directory_->resume(layout);
      if (from_ && from_->position != directory_->state()->progress->position) {
        store_->drop_window(*from_);
      }
      if (other_input) {
        store_->note({{"inputs", describe_sources(sources_)}});
      }
      if (duplicates_ && from_) {
        remember_rows(*files_, config_.output, duplicate_key(config_), *duplicates_);
      }
      const std::uint64_t done = from_ ? from_->window_start + from_->position : 0;
      log_.info((retry_ ? "continuing the retry of " : "continuing ") + config_.output + " after " +
                format_count(done) + " records");
    } else if (retry_) {
      store_ = directory_->begin(layout, begin_);
      log_.info("retrying " + format_count(retry_->rejected()) + " rejected records of " +
                config_.output);
    } else {
      begin_ = {{"format", 1},
                {"created", utc_now()},
                {"longhaul", versions()},
                {"fingerprint", fingerprint(config_, model_.card, options_, model_.sha256(),
                                            device_kind(encoder_->device()))},
                {"choices", choices_},
                {"inputs", describe_sources(sources_)},
                {"kept_columns", output_columns(config_, *reader_)},
                {"machine", describe_machine(encoder_->device().name())},
                {"bits_machine", bits_machine}};
      store_ = directory_->begin(layout, begin_);
    }
    hashes_.emplace(files_to_hash(sources_, config_, model_.card),
                    previous_.value("inputs", nlohmann::json::array()));
    session_ = describe_session(inputs_.arguments);
    session_.update({{"machine", describe_machine(encoder_->device().name())},
                     {"threads", threads_},
                     {"threads_from", config_.threads ? "--threads" : inputs_.usable.because},
                     {"longhaul", versions()}});
    for (std::string& reason : numeric_reasons(begin_, bits_machine, contract_)) {
      if (follows_) {
        log_.info("low bits may differ between sessions: " + reason);
      }
      numeric_.insert(std::move(reason));
    }
    if (previous_.value("bits", "exact") == "numeric") {
      for (const nlohmann::json& reason :
           previous_.value("bits_reasons", nlohmann::json::array({"an earlier session"}))) {
        numeric_.insert(reason.get<std::string>());
      }
    }
    if (from_) {
      note_reshaped(counters_from_json(from_->counters));
    }
    store_->write_report(report("running", std::nullopt));
  }

  // Leaves the reason in run.json where the store still takes it; the reason is what counts.
  void report_failure(const Error& error) {
    try {
      store_->write_report(report(error.what(), error.code()));
    } catch (const Error& second) {
      log_.debug(std::string("run.json does not say why: ") + second.what());
    }
  }

  void find_input_position() {
    if (!resumed_ || !directory_->state()->progress) {
      return;
    }
    from_ = directory_->state()->progress;
    require_input([this] {
      find_position(*reader_, match_, *from_, *files_, config_.output,
                    [this] { return stop_requested(); });
    });
    if (match_ == InputMatch::kReadAgain && from_->position > 0) {
      const std::uint64_t done = from_->position;
      if (!keep_window(reader_, *from_)) {
        log_.info("the input goes on differently after record " +
                  format_count(from_->window_start) + ": the last " + format_count(done) +
                  " records that were embedded are embedded again");
      }
    }
  }

  // A retry of another input is worth nothing: the output stays as it was.
  void require_input(const std::function<void()>& check) {
    try {
      check();
    } catch (const Error& error) {
      if (retry_ && error.code() == ExitCode::kMismatch) {
        store_.reset();
        directory_.reset();
        store::discard_retry(*files_, config_.output);
      }
      throw;
    }
  }

  ExitCode embed() {
    device::LeakMonitor leaks;
    MemoryLog memory_log(*files_, config_.output + "/memory.jsonl");
    ProgressDisplay display(*inputs_.console, inputs_.progress, started_);
    ProgressSnapshot latest = first_snapshot();
    display.update(latest, Clock::now());
    const run::PipelineHooks hooks{
        .now = &Clock::now,
        .stop_requested = [this] { return stop_requested(); },
        .abandon = [this] { abandon_run(config_.output, inputs_.command); },
        .read_memory = [this] { return read_memory(); },
        .progress =
            [&](const run::RunSnapshot& snapshot) {
              memory_log.sample(Clock::now(), snapshot);
              latest = shown(snapshot);
              display.update(latest, Clock::now());
            },
        .leak_suspected = [this](const std::string&) { return leak_action(config_); },
        .recall_ids = ids_of_earlier_sessions(),
        .exact_encoder = fp32_fallback(workshop_, model_, options_, log_),
    };
    const run::PipelineParts parts{*reader_,   *preprocessor_, *encoder_, *store_,
                                   *governor_, leaks,          log_};
    run::RunReport done;
    try {
      done = run_pipeline(parts, settings_, hooks, from_);
    } catch (const Error& error) {
      display.finish(latest, Clock::now());
      memory_log.finish();
      report_failure(error);
      throw;
    }
    display.finish(latest, Clock::now());
    memory_log.finish();
    note_reshaped(done.counters);
    session_["timings"] = describe_timings(done);
    if (nlohmann::json prepared = preprocessor_->report(); !prepared.is_null()) {
      session_["preparing"] = std::move(prepared);
    }
    if (duplicates_) {
      session_["duplicates"] = {{"remembered", duplicates_->images()},
                                {"memory_bytes", duplicates_->memory_bytes()}};
    }
    session_["memory"] = {{"summary", memory_log.summary()},
                          {"leak", leaks.report()},
                          {"verdict", to_string(leaks.verdict())},
                          {"governor", governor_->report()}};
    switch (done.end) {
      case run::RunEnd::kComplete:
        return complete(done, leaks);
      case run::RunEnd::kRecycle:
        StopSignals::hold();
        if (stop_requested()) {
          break;
        }
        start_anew(done);
      case run::RunEnd::kInterrupted:
        break;
    }
    return interrupted(done);
  }

  ExitCode complete(run::RunReport done, const device::LeakMonitor& leaks) {
    ExitCode code = completed_code(done.counters, config_.max_rejects.limited() || config_.strict);
    nlohmann::json line = nlohmann::json::object();
    if (retry_) {
      require_input([this] { retry_->require_same_input(); });
      again_ = done.counters;
      done.counters = retry_->merged(done.counters);
      code = retry_->code(done.counters);
      line["counters"] = to_json(done.counters);
    }
    line["code"] = to_int(code);
    hashes_->wait([this] { return stop_requested(); });
    store_->finish(done.rows, report("complete", code, to_json(done.counters)), line);
    log_.info(closing_line(done));
    if (const auto warning = left_out_warning(done.counters.left_out, config_.output);
        warning && !retry_) {
      log_.warning(*warning);
    }
    log_.write(
        leaks.verdict() == device::LeakVerdict::kTooShort ? LogLevel::kDebug : LogLevel::kInfo,
        leaks.summary());
    if (const auto why = completed_error(code, done.counters, config_.output)) {
      log_.error(*why);
    }
    return retry_ ? merge(code) : close(code);
  }

  // The retry in its directory is finished, and closed first.
  ExitCode merge(ExitCode code) {
    store_.reset();
    directory_.reset();
    retry_->merge();
    log_.info("the retried rows are part of " + config_.output);
    return close(code);
  }

  ExitCode close(ExitCode code) const {
    if (config_.json) {
      print_json(to_json(read_output_state(*files_, config_.output)));
    }
    return code;
  }

  ExitCode interrupted(const run::RunReport& done) {
    const nlohmann::ordered_json summary = report("interrupted", ExitCode::kInterrupted);
    store_->write_report(summary);
    log_.info(closing_line(done));
    if (config_.json) {
      print_json(summary);
    }
    inputs_.console->fail("longhaul: interrupted; everything up to here is safe in " +
                          config_.output + "; continue with: " + inputs_.command);
    return ExitCode::kInterrupted;
  }

  // Gives back what no call returns, and continues in a fresh process.
  [[noreturn]] void start_anew(const run::RunReport& done) {
    store_->write_report(report("recycled", std::nullopt));
    Continuation next;
    next.lock = directory_->keep_lock_across_exec();
    next.spent = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started_);
    next.recycles = inputs_.continuation ? inputs_.continuation->recycles + 1 : 1;
    log_.info("starting anew after " + format_count(done.batches) +
              " batches, to give memory back (" + format_count(next.recycles) + ")");
    recycle(inputs_.arguments, next, inputs_.started_in);
  }

  ProgressSnapshot first_snapshot() const {
    run::RunSnapshot snapshot;
    if (from_) {
      snapshot.records_done = from_->window_start + from_->position;
      snapshot.records_rejected = rejected_so_far(counters_from_json(from_->counters), from_->late);
    }
    snapshot.input = reader_->progress();
    return shown(snapshot);
  }

  ProgressSnapshot shown(const run::RunSnapshot& snapshot) const {
    return to_show(snapshot, model_.card.modality, Clock::now() - started_);
  }

  // The whole of run.json as it stands; without `counts` those of what is committed.
  nlohmann::ordered_json report(const std::string& state, std::optional<ExitCode> code,
                                std::optional<nlohmann::json> counts = std::nullopt) {
    session_["encoder"] = encoder_->report();
    session_["stop"] = code ? nlohmann::json(utc_now()) : nlohmann::json(nullptr);
    session_["state"] = state;
    const nlohmann::json settings =
        describe_config(inputs_.resolved, decided_settings(choices_, options_));
    nlohmann::ordered_json run = run_json(
        {.state = state,
         .code = code,
         .counts = counts
                       ? *counts
                       : to_json(committed_counters(*files_, config_.output).value_or(Counters())),
         .inputs = describe_inputs(sources_, hashes_->so_far()),
         .bits_reasons = numeric_,
         .contract = contract_.report,
         .settings = settings,
         .choices = choices_,
         .fingerprint = begin_.at("fingerprint"),
         .session = session_,
         .earlier_sessions = previous_.value("sessions", nlohmann::json::array()),
         .versions = versions()},
        config_, model_);
    return retry_ ? retry_->report(std::move(run), settings, again_) : run;
  }

  void note_reshaped(const Counters& counters) {
    if (counters.reshaped > 0) {
      numeric_.insert("vectors were computed in smaller parts, for want of memory");
    }
    if (counters.computed_alone > 0) {
      numeric_.insert("vectors that were not finite were computed once more, by themselves");
    }
  }

  device::MemoryReading read_memory() {
    return take_reading(host_memory_, encoder_->device(), sanity_);
  }

  bool stop_requested() const {
    return StopSignals::requested() ||
           (config_.time_limit && Clock::now() - started_ >= *config_.time_limit);
  }

  // The file holds complete windows only, until this session adds to it.
  std::function<void(run::RepeatedIds&)> ids_of_earlier_sessions() {
    if (!from_ || retry_) {
      return {};
    }
    const std::uint64_t bytes =
        files_->open(config_.output + "/" + store::store_files::kRecords, OpenMode::kRead)->size();
    return
        [this, bytes](run::RepeatedIds& ids) { recall_ids(*files_, config_.output, bytes, ids); };
  }

  const SessionInputs& inputs_;
  const config::RunConfig& config_;
  const Workshop workshop_;
  Log& log_;
  std::unique_ptr<Files> files_;
  const Clock::time_point started_;
  device::HostMemory host_memory_;
  device::MemorySanity sanity_;

  std::optional<RetryRun> retry_;
  std::optional<Counters> again_;                  // of a retry that is complete
  std::unique_ptr<store::StoreDirectory> output_;  // of a retry: where it goes when it is finished
  std::unique_ptr<store::StoreDirectory> directory_;
  nlohmann::json begin_;
  bool resumed_ = false;
  bool follows_ = false;  // begin_ is that of an earlier session, or of the run that is retried
  std::set<std::string> numeric_;  // why low bits may differ; empty: they may not
  std::uint32_t threads_ = 1;
  encode::ModelFile model_;
  encode::EncoderOptions options_;
  std::unique_ptr<input::RecordReader> reader_;
  std::vector<input::SourceIdentity> sources_;
  InputMatch match_ = InputMatch::kReadAgain;
  std::unique_ptr<encode::Encoder> encoder_;
  std::optional<prepare::DuplicateFilter> duplicates_;
  std::unique_ptr<prepare::Preprocessor> preprocessor_;
  nlohmann::json choices_;
  run::PipelineSettings settings_;
  std::optional<plan::MemoryGovernor> governor_;
  encode::Contract contract_;
  std::unique_ptr<store::EmbeddingStore> store_;
  std::optional<store::Progress> from_;
  nlohmann::json previous_ = nlohmann::json::object();
  nlohmann::json session_;
  std::optional<InputHashes> hashes_;
};

}  // namespace

ExitCode run_session(const SessionInputs& inputs) {
  return Session(inputs).run();
}

}  // namespace longhaul::app
