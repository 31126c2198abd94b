#include "session/update_mode.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
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

// What a symbolic link leads to is exchanged, not the link, and "." and ".." have a name.
std::string renamable(const std::string& path) {
  std::string plain = path;
  while (plain.size() > 1 && plain.back() == '/') {
    plain.pop_back();
  }
  const std::string last = std::filesystem::path(plain).filename().string();
  std::error_code error;
  if (last != "." && last != ".." &&
      !std::filesystem::is_symlink(std::filesystem::symlink_status(plain, error))) {
    return plain;
  }
  const std::filesystem::path target = std::filesystem::canonical(plain, error);
  return error ? plain : target.string();
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

// Gives a directory the permissions and the group of another. Where the group cannot be given, the
// group gets no permission.
void copy_access(const std::string& from, const std::string& to) {
  struct stat info {};
  if (::stat(from.c_str(), &info) != 0) {
    return;  // who opens it says so
  }
  mode_t mode = info.st_mode & 07777;
  if (::chown(to.c_str(), static_cast<uid_t>(-1), info.st_gid) != 0) {
    mode &= ~static_cast<mode_t>(S_IRWXG | S_ISGID);
  }
  if (::chmod(to.c_str(), mode) != 0) {
    throw Error(ExitCode::kIo,
                "cannot give " + printable(to, 400) + " the permissions of " +
                    printable(from, 400) + ": " + std::generic_category().message(errno),
                "give this command as the owner of both");
  }
}

class UpdateMode : public PlainMode {
 public:
  // `output`: locked, and what was begun there.
  UpdateMode(const config::RunConfig& config, const Host& host, std::string output,
             std::unique_ptr<store::StoreDirectory> locked, const std::vector<OlderOutput>& reuse)
      : PlainMode(config, host, std::nullopt, store::next_directory(output), reuse),
        output_(std::move(output)),
        locked_(std::move(locked)),
        generation_(run_begin_from_json(locked_->state()->begin).generation + 1) {
    told().beginning = "updating " + printable(output_, 400);
    told().continuing = "continuing the update of " + printable(output_, 400);
    copy_access(output_, facts().path);
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

  // An output of rejected rows alone would take the place of one that has vectors.
  Conclusion conclude(const Counters& counters) override {
    Conclusion conclusion = PlainMode::conclude(counters);
    if (counters.ok + counters.duplicates == 0) {
      throw Error(ExitCode::kBadData,
                  "not one record of this input has a vector: " + printable(output_, 400) +
                      " stays as it was; the reasons are in " +
                      printable(store::path_in(facts().path, store::store_files::kRejects), 400),
                  "correct the input, and give the same command again");
    }
    return conclusion;
  }

  run::OlderRows* older_rows(const store::StoreLayout& layout) override {
    for (const std::string& column : locked_->state()->layout.kept_columns) {
      if (std::ranges::find(layout.kept_columns, column) == layout.kept_columns.end()) {
        host().log.warning("records.csv loses the column " + printable(column) +
                           ", which this command does not keep: --keep-column does");
      }
    }
    return PlainMode::older_rows(layout);
  }

  nlohmann::ordered_json report(nlohmann::ordered_json run) const override {
    run["generation"] = generation_;
    return run;
  }

  void deliver() override {
    PlainMode::deliver();
    const std::string next = facts().path;
    store::exchange_outputs(host().files, output_, next);
    locked_.reset();
    store::remove_emptied(host().files, next);
    told().path = told().output = output_;
    host().log.info(printable(output_, 400) + " is its generation " + format_count(generation_) +
                    " now");
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

// Whether the other outputs that an update takes rows of, behind the first, are these, as they are.
// One that is not there is for who opens it.
bool are_as_they_were(const std::vector<std::string>& reuse, const RunBegin& begin, Files& files) {
  bool same = begin.reuse.size() == reuse.size() + 1;
  for (std::size_t i = 0; same && i < reuse.size(); ++i) {
    if (files.exists(store::path_in(reuse[i], store::store_files::kJournal))) {
      const store::OutputReader reader(files, reuse[i]);
      same = reader.claims() && reader.claims()->end.crc == begin.reuse[i + 1].state;
    }
  }
  return same;
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
  const bool has_vectors = !begun->progress || counters_from_json(begun->progress->counters).ok > 0;
  if (store::follows_output(host.files, next, output) && has_vectors &&
      are_as_they_were(config.reuse, begin, host.files) &&
      same_fingerprint(begin.fingerprint, fingerprint)) {
    return;
  }
  host.log.info("what was begun of an update has other settings or no vector, or is of " +
                printable(output, 400) + " as it was before: it begins anew");
  store::open_store(host.files, next, {.holder = host.facts.lock_holder, .adopt = {}})->clear();
}

}  // namespace

std::unique_ptr<Mode> update_mode(const config::RunConfig& config, const Host& host) {
  const std::string output = renamable(config.output);
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
  const bool looks =
      config.reuse_by == ReuseBy::kContent && model.card.modality == Modality::kImage;
  if (state.finish && !looks && same_fingerprint(begin.fingerprint, now) &&
      same_input(config, model.card, state, host)) {
    locked.reset();
    return std::make_unique<PlainMode>(config, host, std::nullopt, output,
                                       std::vector<OlderOutput>());
  }
  std::vector<OlderOutput> reuse{{output, true}};
  for (OlderOutput& older : older_outputs(config)) {
    if (is_same_directory(older.path, output)) {
      throw Error(ExitCode::kUsage,
                  "--reuse " + printable(older.path, 400) + " is the output that --update updates",
                  "leave it out: --update takes its rows");
    }
    reuse.push_back(std::move(older));
  }
  discard_other(config, host, output, now);
  return std::make_unique<UpdateMode>(config, host, output, std::move(locked), reuse);
}

}  // namespace longhaul::session
