#include "session/update_mode.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.hpp"
#include "encode/model_loader.hpp"
#include "session/encoder_options.hpp"
#include "session/plain_mode.hpp"
#include "session/run_identity.hpp"
#include "session/session_checks.hpp"
#include "store/next_output.hpp"
#include "store/shards.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;

// What a symbolic link leads to is exchanged, not the link.
std::string without_links(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_symlink(std::filesystem::symlink_status(path, error))) {
    std::string plain = path;
    while (plain.size() > 1 && plain.back() == '/') {
      plain.pop_back();
    }
    return plain;
  }
  const std::filesystem::path target = std::filesystem::canonical(path, error);
  return error ? path : target.string();
}

// That of a session with these settings, on the kind of device that the output was made on where
// that is left open.
json fingerprint_now(const config::RunConfig& config, const Host& host, const RunBegin& output,
                     const encode::ModelFile& model) {
  encode::EncoderOptions options =
      encoder_options(config, model.card, config.threads.value_or(host.facts.threads));
  const std::string device = config.device == "auto" ? output.choices.device : config.device;
  return fingerprint(config, model.card, options, model.sha256(),
                     device.substr(0, device.find(':')));
}

// Whether the input of an output that is complete is what it was, as far as its files tell, else as
// their content does. A stream is another one.
bool same_input(config::RunConfig config, const encode::EncoderCard& card,
                const store::StoreState& state, const Host& host) {
  if (!state.progress) {
    return false;
  }
  config.allow_nucleotides = true;  // that was judged when it was embedded
  std::unique_ptr<input::RecordReader> whole =
      host.workshop.make_reader(config, card, host.stop, nullptr);
  const std::vector<input::SourceIdentity> sources = whole->sources();
  if (!input::are_files(sources)) {
    return false;
  }
  const json recorded = recorded_sources(state);
  if (whole->sources_tell_all() && recorded.size() == sources.size() &&
      compare_sources(recorded, sources) == InputMatch::kUnchanged) {
    return true;
  }
  input::SelectedReader reader(std::move(whole), std::make_unique<input::AllRecords>(),
                               input::InputDigest::in_form_of(state.progress->input_hash).value());
  constexpr std::uint64_t kAtATime = 65536;
  std::uint64_t read = 0;
  for (std::uint64_t to = 0; read == to; read = reader.read_to(to)) {
    if (host.stop()) {
      return false;  // who reads it next is told too
    }
    to += kAtATime;
  }
  return read == state.progress->input_records &&
         reader.position().digest == state.progress->input_hash;
}

class UpdateMode : public PlainMode {
 public:
  // `output`: locked, and what was begun there.
  UpdateMode(const config::RunConfig& config, const Host& host, std::string output,
             std::unique_ptr<store::StoreDirectory> locked, std::vector<OlderOutput> reuse)
      : PlainMode(config, host, std::nullopt, store::next_directory(output), std::move(reuse)),
        output_(std::move(output)),
        locked_(std::move(locked)),
        generation_(run_begin_from_json(locked_->state()->begin).generation + 1) {
    told().beginning = "updating " + printable(output_, 400);
    told().continuing = "continuing the update of " + printable(output_, 400);
  }

  RunBegin begin(RunBegin fresh) const override {
    RunBegin begin = PlainMode::begin(std::move(fresh));
    begin.generation = generation_;
    return begin;
  }

  // The night's input may be another than that of an update that was stopped.
  std::unique_ptr<input::DigestedReader> select(
      std::unique_ptr<input::RecordReader> whole,
      const std::function<std::unique_ptr<input::RecordReader>()>& again) override {
    if (directory()->state() && !goes_on(*whole, again)) {
      host().log.info("an update from another input was begun beside " + printable(output_, 400) +
                      ": it begins anew");
      discard();
    }
    return PlainMode::select(std::move(whole), again);
  }

  nlohmann::ordered_json report(nlohmann::ordered_json run) const override {
    run["generation"] = generation_;
    return run;
  }

  void deliver() override {
    PlainMode::deliver();
    store::exchange_outputs(host().files, output_, facts().path);
    told().path = told().output = output_;
    host().log.info(printable(output_, 400) + " is its generation " + format_count(generation_) +
                    " now");
    locked_.reset();
  }

 private:
  bool goes_on(const input::RecordReader& whole,
               const std::function<std::unique_ptr<input::RecordReader>()>& again) {
    const store::StoreState& state = *directory()->state();
    const std::vector<input::SourceIdentity> sources = whole.sources();
    if (!state.progress || !input::are_files(sources)) {
      return state.progress == std::nullopt;
    }
    if (whole.sources_tell_all() &&
        compare_sources(recorded_sources(state), sources) == InputMatch::kUnchanged) {
      return true;
    }
    try {
      input::SelectedReader reader(again(), std::make_unique<input::AllRecords>());
      find_position(reader, InputMatch::kReadAgain, *state.progress, host().files, facts().path,
                    host().stop);
      return true;
    } catch (const Error& error) {
      if (error.code() != ExitCode::kMismatch) {
        throw;
      }
      return false;
    }
  }

  const std::string output_;
  std::unique_ptr<store::StoreDirectory> locked_;  // of the output
  const std::uint64_t generation_;
};

void require_replaceable(const Host& host, const std::string& output, const RunBegin& begin) {
  require_no_shard(begin.shard, output);
  if (store::has_shards(host.files, output)) {
    throw Error(ExitCode::kMismatch,
                printable(output, 400) + " still holds the shards that it was merged from",
                "give longhaul merge " + shell_word(output) + " --remove-shards first");
  }
  if (host.files.is_mount_point(output)) {
    throw Error(ExitCode::kUsage,
                "--update exchanges directories, and " + printable(output, 400) +
                    " is where a file system is mounted",
                "name a directory in it, or use --reuse with another --output");
  }
}

// What was begun of an update and is not of this output as it is now, with these settings, is
// deleted.
void discard_other(const config::RunConfig& config, const Host& host, const std::string& output,
                   const json& fingerprint) {
  const std::string next = store::next_directory(output);
  const auto begun = store::read_store_if_begun(host.files, next);
  if (!begun) {
    return;
  }
  const RunBegin begin = run_begin_from_json(begun->begin);
  if (store::follows_output(host.files, next, output) &&
      begin.reuse.size() == config.reuse.size() + 1 &&
      same_fingerprint(begin.fingerprint, fingerprint)) {
    return;
  }
  host.log.info("an update with other settings, or of " + printable(output, 400) +
                " as it was before, was begun: it begins anew");
  store::open_store(host.files, next, {.holder = host.facts.lock_holder, .adopt = {}})->clear();
}

}  // namespace

std::unique_ptr<Mode> update_mode(const config::RunConfig& config, const Host& host) {
  const std::string output = without_links(config.output);
  store::finish_exchange(host.files, output, host.facts.lock_holder);
  if (!store::read_store_if_begun(host.files, output)) {
    return plain_mode(config, host, std::nullopt);
  }
  auto locked =
      store::open_store(host.files, output, {.holder = host.facts.lock_holder, .adopt = {}});
  const store::StoreState& state = locked->state().value();
  const RunBegin begin = run_begin_from_json(state.begin);
  require_replaceable(host, output, begin);
  const encode::ModelFile model =
      host.workshop.models.read_model(config.model, config.card, config.model_sha256);
  const json now = fingerprint_now(config, host, begin, model);
  if (state.finish && same_fingerprint(begin.fingerprint, now) &&
      same_input(config, model.card, state, host)) {
    locked.reset();
    return std::make_unique<PlainMode>(config, host, std::nullopt, output,
                                       std::vector<OlderOutput>());
  }
  discard_other(config, host, output, now);
  std::vector<OlderOutput> reuse{{output, true}};
  for (OlderOutput& older : older_outputs(config)) {
    reuse.push_back(std::move(older));
  }
  return std::make_unique<UpdateMode>(config, host, output, std::move(locked), std::move(reuse));
}

}  // namespace longhaul::session
