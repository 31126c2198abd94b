#include "session/session.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/text.hpp"
#include "device/leak_monitor.hpp"
#include "encode/outputs.hpp"
#include "input/byte_source.hpp"
#include "session/auto_settings.hpp"
#include "session/decode_drift.hpp"
#include "session/disk_space.hpp"
#include "session/encoder_options.hpp"
#include "session/engine.hpp"
#include "session/memory_log.hpp"
#include "session/mode.hpp"
#include "session/output_state.hpp"
#include "session/resume_scan.hpp"
#include "session/run_identity.hpp"
#include "session/run_record.hpp"
#include "session/run_report.hpp"
#include "session/session_checks.hpp"
#include "session/session_input.hpp"
#include "store/output_reader.hpp"

namespace longhaul::session {
namespace {

class Session {
 public:
  Session(const Request& request, const Host& host)
      : request_(request),
        host_(host),
        started_(host.now() - (request.continuation ? request.continuation->spent
                                                    : std::chrono::milliseconds(0))),
        memory_(host.log) {}

  SessionEnd run() {
    if (const std::optional<ExitCode> code = prepare()) {
      return end(*code);
    }
    return execute();
  }

 private:
  const config::RunConfig& config() const { return request_.resolved.config; }

  // Cheap failures come first. Gives a code where there is nothing to embed.
  std::optional<ExitCode> prepare() {
    mode_ = make_mode(config(), host_, request_.continuation);
    read_card();
    if (mode_->facts().nothing_to_do) {
      return mode_->already_finished(model_.card);
    }
    if (mode_->directory()->state() && mode_->directory()->state()->finish) {
      return mode_->already_finished(model_.card);
    }
    input_ = open_session_input(*mode_, config(), model_.card, host_,
                                request_.continuation.has_value(), [this] { return stop(); });
    if (!resumed()) {
      look_for_room();
    }
    load_engine();
    if (!mode_->settle(engine_.fingerprint, engine_.choices)) {
      engine_ = {};  // two encoders may be more than there is memory for
      follow();
      load_engine();
    }
    open_store();
    return std::nullopt;
  }

  void read_card() {
    const std::uint32_t threads = config().threads.value_or(host_.facts.threads);
    model_ = host_.workshop.models.read_model(config().model, config().card, config().model_sha256);
    options_ = encoder_options(config(), model_.card, threads);
    require_fitting_settings(config(), options_, model_.card,
                             config().shard ? Division::kShards : Division::kWhole);
    follow();
  }

  void follow() {
    if (const std::optional<RunBegin>& before = mode_->follows()) {
      options_.choices = before->choices.encoder;
      if (config().device == "auto") {
        options_.device = before->choices.device;
      }
      // What a device of this kind would be; an explicit other kind is a mismatch, said early.
      const std::string kind = options_.device.substr(0, options_.device.find(':'));
      mode_->require_same_settings(
          fingerprint(config(), model_.card, options_, model_.sha256(), kind));
    }
  }

  void load_engine() {
    engine_ = make_engine({config(), model_, options_, host_.files, host_.workshop, host_.log,
                           host_.now, [this] { return memory_.read_host(); },
                           [this](encode::Encoder& encoder) { return read(encoder); }},
                          terms_of(*mode_));
  }

  void look_for_room() const {
    ExpectedOutput expected{
        .outputs = stored_outputs(config(), encode::outputs_of(model_.card, options_)),
        .rows = input_.reader->progress().records_total.value_or(config().window),
        .residues = 0,
        .all_shards = false};
    if (options_.tokens && input::are_files(input_.sources) && !config().retry_rejects) {
      const auto whole = host_.workshop.make_reader(config(), model_.card, host_.stop, nullptr);
      const ExpectedRecords records = records_to_come(
          *whole, *host_.workshop.make_preprocessor(config(), model_.card, options_.threads, {}));
      expected.rows = static_cast<std::uint64_t>(std::llround(records.rows));
      expected.residues = records.residues;
      expected.all_shards = config().shard.has_value();
    }
    require_space(host_.files, config().output, expected, host_.log);
  }

  // With the types that they have in files.
  bool resumed() const { return mode_->directory()->state().has_value(); }

  RunBegin begin() const {
    if (resumed()) {
      return *mode_->follows();
    }
    device::Device& device = engine_.encoder->device();
    RunBegin begin;
    begin.created = host_.utc_now();
    begin.versions = host_.facts.versions;
    begin.fingerprint = engine_.fingerprint;
    begin.choices = engine_.choices;
    begin.inputs = describe_sources(input_.sources);
    begin.kept_columns = output_columns(config(), *input_.reader);
    begin.machine = host_.facts.machine(device.name());
    begin.bits_machine = host_.facts.bits_machine(device);
    return mode_->begin(std::move(begin));
  }

  void open_store() {
    const store::StoreLayout layout{stored_outputs(config(), engine_.encoder->outputs()),
                                    output_columns(config(), *input_.reader),
                                    mode_->facts().later_columns};
    older_ = mode_->older_rows(layout);
    const bool goes_on = resumed();
    const RunBegin begun = begin();
    record_ = std::make_unique<RunRecord>(
        RecordedRun{request_.resolved, model_, options_, host_, *mode_, input_, engine_}, begun,
        goes_on);
    if (goes_on) {
      resume_store(layout);
    } else {
      store_ = mode_->directory()->begin(layout, to_json(begun));
    }
    if (std::string opening = goes_on ? mode_->facts().continuing : mode_->facts().beginning;
        !opening.empty()) {
      if (goes_on) {
        opening += " after " + format_count(records_before()) + " records";
      }
      host_.log.info(opening);
    }
    if (config().fast_decode && !record_->knows_drift()) {
      record_->tell_drift(measure_drift(host_, config(), model_.card, input_, engine_));
    }
    store_->write_report(record_->report("running", std::nullopt));
  }

  void resume_store(const store::StoreLayout& layout) {
    store_ = mode_->directory()->resume(layout);
    if (input_.window_dropped) {
      store_->drop_window(*input_.from);
    }
    if (input_.other_files) {
      store_->note({{"inputs", describe_sources(input_.sources)}});
    }
    if (engine_.duplicates && input_.from) {
      remember_rows(store::OutputReader(host_.files, mode_->facts().output),
                    duplicate_key(config()), *engine_.duplicates);
    }
  }

  std::uint64_t records_before() const {
    return input_.from ? input_.from->window_start + input_.from->position : 0;
  }

  SessionEnd execute() {
    device::LeakMonitor leaks;
    MemoryLog memory_log(host_.files, mode_->facts().output + "/memory.jsonl");
    const std::unique_ptr<Display> display = host_.display(model_.card.modality, started_);
    run::RunSnapshot latest = first_snapshot();
    display->update(latest);
    // What earlier sessions left, before this one adds to it.
    std::optional<store::OutputReader> earlier;
    if (input_.from && mode_->facts().whole) {
      earlier.emplace(host_.files, mode_->facts().output);
    }
    run::PipelineHooks hooks{
        .now = host_.now,
        .stop_requested = [this] { return stop(); },
        .abandon = host_.abandon,
        .read_memory = [this] { return read(*engine_.encoder); },
        .progress =
            [&](const run::RunSnapshot& snapshot) {
              memory_log.sample(host_.now(), snapshot);
              latest = snapshot;
              display->update(latest);
            },
        .leak_suspected = [this](const std::string&) { return leak_action(config()); },
        .fp32_fallback = engine_.fp32_fallback,
    };
    if (earlier) {
      hooks.recall_ids = [&earlier](run::RepeatedIds& ids) { recall_ids(*earlier, ids); };
    }
    if (engine_.duplicates) {
      hooks.repeated = first_finder(*engine_.duplicates);
      hooks.without_vector = engine_.duplicates->without_vector;
    }
    const auto over = [&] {
      display->finish(latest);
      memory_log.finish();
    };
    run::RunReport done;
    try {
      done = run_pipeline({*input_.reader, *engine_.preprocessor, *engine_.encoder, *store_,
                           *engine_.governor, leaks, host_.log, older_},
                          engine_.pipeline, hooks, input_.from);
    } catch (const Error& error) {
      over();
      report_failure(error);
      throw;
    }
    over();
    tell(done, leaks, memory_log.summary());
    return conclude(done, leaks);
  }

  run::RunSnapshot first_snapshot() const {
    run::RunSnapshot snapshot;
    snapshot.records_done = records_before();
    if (input_.from) {
      snapshot.records_rejected =
          rejected_so_far(counters_from_json(input_.from->counters), input_.from->late);
    }
    snapshot.input = input_.reader->progress();
    if (snapshot.records_done == 0) {
      snapshot.input.bytes_read = 0;  // what was read ahead is not done
    }
    return snapshot;
  }

  // Leaves the reason in run.json where the store still takes it; the reason is what counts.
  void report_failure(const Error& error) {
    try {
      store_->write_report(record_->report(error.what(), error.code()));
    } catch (const Error& second) {
      host_.log.debug(std::string("run.json does not say why: ") + second.what());
    }
  }

  void tell(const run::RunReport& done, const device::LeakMonitor& leaks,
            nlohmann::json memory_summary) {
    record_->note_reshaped(done.counters);
    record_->tell("timings", describe_timings(done));
    if (nlohmann::json prepared = engine_.preprocessor->report(); !prepared.is_null()) {
      record_->tell("preparing", std::move(prepared));
    }
    if (engine_.duplicates) {
      record_->tell("duplicates", {{"remembered", engine_.duplicates->filter.records()},
                                   {"memory_bytes", engine_.duplicates->filter.memory_bytes()}});
    }
    record_->tell("memory", {{"summary", std::move(memory_summary)},
                             {"leak", leaks.report()},
                             {"verdict", to_string(leaks.verdict())},
                             {"governor", engine_.governor->report()}});
  }

  SessionEnd conclude(const run::RunReport& done, const device::LeakMonitor& leaks) {
    if (done.end == run::RunEnd::kComplete) {
      return complete(done, leaks);
    }
    if (done.end == run::RunEnd::kRecycle) {
      host_.hold_stops();
      if (!stop()) {
        start_anew(done);
      }
    }
    return interrupted(done);
  }

  SessionEnd complete(run::RunReport done, const device::LeakMonitor& leaks) {
    Conclusion conclusion = require_input(
        *mode_, [&] { return mode_->conclude(done.counters); }, [this] { store_.reset(); });
    done.counters = conclusion.counters;
    conclusion.line["code"] = to_int(conclusion.code);
    record_->wait_for_hashes([this] { return stop(); });
    store_->finish(done.rows, record_->report("complete", conclusion.code, to_json(done.counters)),
                   conclusion.line);
    host_.log.info(closing_line(done));
    host_.log.write(
        leaks.verdict() == device::LeakVerdict::kTooShort ? LogLevel::kDebug : LogLevel::kInfo,
        leaks.summary());
    store_.reset();
    mode_->deliver();
    if (const auto warning = left_out_warning(done.counters.left_out, mode_->facts().output);
        warning && mode_->facts().whole) {
      host_.log.warning(*warning);
    }
    tell_changed_input();
    if (const auto why = completed_error(conclusion.code, done.counters, mode_->facts().output)) {
      host_.log.error(*why);
    }
    return end(conclusion.code);
  }

  // What was read of such a file may be of its content before or after.
  void tell_changed_input() const {
    for (const input::SourceIdentity& source : input_.sources) {
      std::error_code error;
      if (!source.regular || !std::filesystem::exists(source.path, error)) {
        continue;
      }
      const input::SourceIdentity now = input::identify_source(source.path);
      if (now.size != source.size || now.modified_ns != source.modified_ns) {
        host_.log.warning(printable(source.path, 400) +
                          " changed while it was read; when it stays as it is, embed it again with "
                          "--overwrite");
      }
    }
  }

  SessionEnd interrupted(const run::RunReport& done) {
    nlohmann::ordered_json summary = record_->report("interrupted", ExitCode::kInterrupted);
    store_->write_report(summary);
    host_.log.info(closing_line(done));
    if (done.records == 0 && config().time_limit && !host_.stop()) {
      host_.log.warning("--time-limit was over before the first batch: to start takes " +
                        format_duration(std::chrono::duration<double>(host_.now() - started_)) +
                        ", so that with this limit nothing will ever be done; give a longer one");
    }
    SessionEnd end;
    end.code = ExitCode::kInterrupted;
    end.interrupted = true;
    end.summary = std::move(summary);
    return end;
  }

  // Gives back what no call returns, and continues in a fresh process.
  void start_anew(const run::RunReport& done) {
    store_->write_report(record_->report("recycled", std::nullopt));
    Continuation next;
    next.lock = mode_->directory()->keep_lock_across_exec();
    next.spent = std::chrono::duration_cast<std::chrono::milliseconds>(host_.now() - started_);
    next.recycles = request_.continuation ? request_.continuation->recycles + 1 : 1;
    host_.log.info("starting anew after " + format_count(done.batches) +
                   " batches, to give memory back (" + format_count(next.recycles) + ")");
    host_.start_anew(next);
  }

  SessionEnd end(ExitCode code) const {
    return {code, false,
            config().json ? to_json(read_output_state(host_.files, mode_->facts().output))
                          : nlohmann::ordered_json()};
  }

  device::MemoryReading read(encode::Encoder& encoder) { return memory_.read(encoder.device()); }

  bool stop() const {
    return host_.stop() || (config().time_limit && host_.now() - started_ >= *config().time_limit);
  }

  const Request& request_;
  const Host& host_;
  const Clock::time_point started_;
  device::MemoryReader memory_;
  std::unique_ptr<Mode> mode_;
  encode::ModelFile model_;
  encode::EncoderOptions options_;
  SessionInput input_;
  Engine engine_;
  run::OlderRows* older_ = nullptr;  // the mode's
  std::unique_ptr<store::EmbeddingStore> store_;
  std::unique_ptr<RunRecord> record_;
};

}  // namespace

SessionEnd run_session(const Request& request, const Host& host) {
  return Session(request, host).run();
}

}  // namespace longhaul::session
