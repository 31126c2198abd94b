// A session on fakes: records in memory, the fake encoder, a real directory, a clock that the test
// moves, and files that end the process at a chosen operation. One scene, many sessions.
#pragma once

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "encode/model_file.hpp"
#include "fakes/fake_encoder.hpp"
#include "fakes/recording_log.hpp"
#include "fakes/sanitized.hpp"
#include "fakes/vector_reader.hpp"
#include "prepare/sequence_preprocessor.hpp"
#include "session/encoder_options.hpp"
#include "session/session.hpp"

namespace longhaul::session::test {

// Thrown where the process would have been killed.
struct Killed {};

// Counts what changes something; from operation `at` on nothing is done any more.
class KillingFiles : public Files {
 public:
  KillingFiles() : files_(posix_files()) {}
  void kill_at(std::uint64_t at) {
    at_ = at;
    operations_ = 0;
    fired_ = false;
  }
  // Whether that killed `action` at operation `at`; what comes after it is not killed.
  template <typename Action>
  bool kills(std::uint64_t at, Action action) {
    kill_at(at);
    bool killed = false;
    try {
      action();
    } catch (const Killed&) {
      killed = true;
    }
    at_ = UINT64_MAX;
    return killed;
  }
  std::uint64_t operations() const { return operations_; }
  bool fired() const { return fired_; }
  std::optional<std::uint64_t> free;  // what the disk is said to have
  bool exchanges = true;              // whether the file system is said to be able to
  bool mounted = false;               // whether each directory is said to be another disk's

  std::unique_ptr<File> open(const std::string& path, OpenMode mode) override {
    if (mode == OpenMode::kCreate) {
      step();
    }
    return std::make_unique<Watched>(files_->open(path, mode), *this);
  }
  PathKind kind(const std::string& path) override { return files_->kind(path); }
  void make_directory(const std::string& path) override { step(), files_->make_directory(path); }
  // Destructors call it, so that it throws nothing of ours.
  void remove_directory(const std::string& path) override {
    if (++operations_ < at_) {
      files_->remove_directory(path);
    } else {
      fired_ = true;
    }
  }
  void rename(const std::string& from, const std::string& to) override {
    step(), files_->rename(from, to);
  }
  bool exchange(const std::string& a, const std::string& b) override {
    if (!exchanges) {
      return false;
    }
    step();
    return files_->exchange(a, b);
  }
  bool is_mount_point(const std::string& path) override {
    return mounted || files_->is_mount_point(path);
  }
  bool publish(const std::string& from, const std::string& to) override {
    step();
    return files_->publish(from, to);
  }
  void remove(const std::string& path) override { step(), files_->remove(path); }
  void sync_directory(const std::string& path) override { step(), files_->sync_directory(path); }
  std::vector<std::string> list(const std::string& path) override { return files_->list(path); }
  std::optional<std::uint64_t> free_bytes(const std::string& path) override {
    return free ? free : files_->free_bytes(path);
  }
  std::unique_ptr<FileLock> lock(const std::string& path, std::string_view holder,
                                 std::optional<int> adopt) override {
    return files_->lock(path, holder, adopt);
  }
  bool locked(const std::string& path) override { return files_->locked(path); }

 private:
  class Watched : public File {
   public:
    Watched(std::unique_ptr<File> file, KillingFiles& files)
        : file_(std::move(file)), files_(files) {}
    std::uint64_t size() override { return file_->size(); }
    std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
      return file_->read_at(offset, bytes);
    }
    void write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
      files_.step(), file_->write_at(offset, bytes);
    }
    void truncate(std::uint64_t size) override { files_.step(), file_->truncate(size); }
    void sync() override { files_.step(), file_->sync(); }

   private:
    std::unique_ptr<File> file_;
    KillingFiles& files_;
  };

  void step() {
    if (++operations_ >= at_) {
      fired_ = true;
      throw Killed();
    }
  }

  std::unique_ptr<Files> files_;
  std::atomic<std::uint64_t> at_ = UINT64_MAX;
  std::atomic<std::uint64_t> operations_ = 0;
  std::atomic<bool> fired_ = false;
};

// Records whose file has another size when they are others.
class SceneReader : public fakes::VectorReader {
 public:
  explicit SceneReader(std::vector<Record> records) : VectorReader(records) {
    source_.path = "memory";
    source_.regular = true;
    for (const Record& record : records) {
      source_.size += record.payload.size();
    }
  }
  std::vector<input::SourceIdentity> sources() const override { return {source_}; }

 private:
  input::SourceIdentity source_;
};

// Two vectors of each record and those of its residues.
inline nlohmann::json three_outputs() {
  return {{"fake", true}, {"layers", {"early"}}, {"tokens", true}};
}

// The same, and most records are longer than it takes.
inline nlohmann::json short_windows() {
  nlohmann::json model = three_outputs();
  model["max_tokens"] = 12;
  return model;
}

class Scene {
 public:
  Scene() {
    // Many sessions sync much: in memory where there is such a place.
    const std::filesystem::path place = std::filesystem::is_directory("/dev/shm")
                                            ? std::filesystem::path("/dev/shm")
                                            : std::filesystem::temp_directory_path();
    std::string name = (place / "longhaul_session_XXXXXX").string();
    directory = mkdtemp(name.data());
    resolved.config.model = directory + "/model";
    resolved.config.inputs = {"memory"};
    resolved.config.output = directory + "/out";
    resolved.config.window = 16;
    resolved.config.commit_every = std::chrono::milliseconds(0);
    set_model({{"fake", true}});
    records = fakes::generated_records(50, 60);
  }
  ~Scene() { std::filesystem::remove_all(directory); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  void set_model(const nlohmann::json& model) {
    std::ofstream(resolved.config.model) << model.dump();
  }

  // Records that the model does not take whole go through windows.
  void use(const nlohmann::json& model) {
    set_model(model);
    if (model.contains("max_tokens")) {
      config.too_long = TooLong::kWindow;
    }
  }

  SessionEnd run() {
    const Workshop workshop{
        .models = {.read_model = fakes::fake_models().read_model,
                   .make_encoder =
                       [this](const encode::ModelFile& model, const encode::EncoderOptions& options,
                              Log& to) {
                         ++encoders;
                         return fakes::fake_models().make_encoder(model, options, to);
                       }},
        .make_reader = [this](const auto&, const auto&, const auto&,
                              Log*) { return std::make_unique<SceneReader>(records); },
        .make_preprocessor =
            [](const config::RunConfig& settings, const encode::EncoderCard& card, std::uint32_t,
               const DuplicateOf&) {
              return std::make_unique<prepare::SequencePreprocessor>(
                  card.alphabet, sequence_policy(settings, card));
            }};
    struct NoDisplay : Display {
      void update(const run::RunSnapshot&) override {}
      void finish(const run::RunSnapshot&) override {}
    };
    std::atomic<std::uint64_t> looks = 0;
    const Host host{
        .files = files,
        .log = log,
        .workshop = workshop,
        .facts = {.threads = 1,
                  .threads_from = "test",
                  .lock_holder = "test",
                  .versions = {{"longhaul", "test"}},
                  .session = {{"start", "then"}},
                  .machine =
                      [](const std::string& device) {
                        return nlohmann::json{{"device", device}};
                      },
                  .bits_machine = [this](const auto&) { return bits_machine; }},
        .now = &Clock::now,
        .utc_now = [] { return std::string("now"); },
        .stop = [this, &looks] { return stop_at_look && ++looks > *stop_at_look; },
        .hold_stops = [] {},
        .display = [](Modality, Clock::time_point) { return std::make_unique<NoDisplay>(); },
        .abandon = [] {},
        .start_anew =
            [this](const Continuation& next) {
              anew = next;
              throw Killed();  // the process is another from here on
            }};
    return run_session({resolved, continuation}, host);
  }

  // The error of a session that must fail.
  Error failure() {
    try {
      run();
    } catch (const Error& error) {
      return error;
    }
    return {ExitCode::kInternal, "the session did not fail"};
  }

  // Whether a line of the log has it.
  bool said(const std::string& what) const {
    return std::any_of(log.lines.begin(), log.lines.end(), [&](const auto& line) {
      return line.second.find(what) != std::string::npos;
    });
  }

  std::string content(const std::string& name) const {
    std::ifstream file(resolved.config.output + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // What must not depend on how often a run was stopped.
  std::vector<std::string> results() const {
    std::vector<std::string> all;
    for (const char* name : {"embeddings.npy", "records.csv", "rejects.csv", "checksums.npy",
                             "embeddings.early.npy", "tokens.npy", "token_offsets.npy"}) {
      all.push_back(content(name));
    }
    return all;
  }
  nlohmann::json report() const { return nlohmann::json::parse(content("run.json")); }

  std::string directory;
  config::ResolvedConfig resolved;
  config::RunConfig& config = resolved.config;
  std::vector<Record> records;
  nlohmann::json bits_machine = "here";
  std::optional<std::uint64_t> stop_at_look;  // stop() is true from this look on
  std::optional<Continuation> continuation;
  std::optional<Continuation> anew;  // what start_anew was told
  KillingFiles files;
  fakes::RecordingLog log;
  int encoders = 0;  // loaded
};

}  // namespace longhaul::session::test
