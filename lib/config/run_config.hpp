// Every setting of `longhaul embed`, with its default, and where its value came from.
// A value; any thread. Reading values throws Error(kUsage) naming the offender and what is allowed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "domain/numbers.hpp"

namespace longhaul {

enum class ProgressStyle { kAuto, kBar, kLines, kJson, kNone };
template <>
struct Words<ProgressStyle> {
  static constexpr Word<ProgressStyle> all[] = {{"auto", ProgressStyle::kAuto},
                                                {"bar", ProgressStyle::kBar},
                                                {"lines", ProgressStyle::kLines},
                                                {"json", ProgressStyle::kJson},
                                                {"none", ProgressStyle::kNone}};
};

enum class OnLeak { kWarn, kStop, kRecycle };
template <>
struct Words<OnLeak> {
  static constexpr Word<OnLeak> all[] = {
      {"warn", OnLeak::kWarn}, {"stop", OnLeak::kStop}, {"recycle", OnLeak::kRecycle}};
};

// How an image is found in an older output: by its path, size and time, else by its bytes; or all
// of them by their bytes.
enum class ReuseBy { kTime, kContent };
template <>
struct Words<ReuseBy> {
  static constexpr Word<ReuseBy> all[] = {{"time", ReuseBy::kTime}, {"content", ReuseBy::kContent}};
};

template <>
struct Words<LogLevel> {
  static constexpr Word<LogLevel> all[] = {
      {"trace", LogLevel::kTrace},     {"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo},
      {"warning", LogLevel::kWarning}, {"error", LogLevel::kError}, {"off", LogLevel::kOff}};
};

}  // namespace longhaul

namespace longhaul::config {

// When bad records stop a run: never, after N, or above a share judged from 1,000 records on.
struct RejectLimit {
  std::optional<std::uint64_t> count;
  std::optional<double> percent;
  bool limited() const { return count.has_value() || percent.has_value(); }
};

// --shard: 2/8; auto, where the scheduler says both; auto/8, where it says which one.
struct ShardChoice {
  std::optional<std::uint64_t> index;
  std::optional<std::uint64_t> count;
};

// Fields are named after the flags; an empty optional means the default that depends on the card or
// the machine.
struct RunConfig {
  std::string model;
  std::vector<std::string> inputs;
  std::string output;

  std::optional<std::string> format;  // fasta, csv, tsv, jsonl, parquet, images
  std::optional<std::string> files_from;
  std::optional<std::string> sequence_column;
  std::optional<std::string> id_column;
  std::vector<std::string> keep_column;
  std::uint64_t skip_lines = 0;
  std::optional<std::string> delimiter;  // one character; none: recognised by the header line
  bool allow_nucleotides = false;

  std::optional<std::uint32_t> batch_size;    // auto
  std::optional<std::uint64_t> batch_tokens;  // auto
  std::uint32_t window = 4096;
  std::chrono::milliseconds commit_every{5000};
  Order order = Order::kLength;

  std::optional<Pooling> pooling;  // none: the card's
  Dtype dtype = Dtype::kFp32;
  OutputDtype output_dtype = OutputDtype::kFp32;
  std::vector<std::string> layers;                // of the model's outputs; none: the card's
  bool tokens = false;                            // the vectors of all residues too
  OutputDtype tokens_dtype = OutputDtype::kFp16;  // of these
  std::optional<Normalize> normalize;             // none: the card's
  std::optional<std::uint32_t> max_length;        // tokens, special ones included; none: the card's
  TooLong too_long = TooLong::kReject;
  std::optional<std::uint32_t> window_overlap;  // residues; none: a quarter of a window
  Unknown unknown = Unknown::kReject;
  Gaps gaps = Gaps::kReject;
  bool allow_batch_dependent = false;

  std::string device = "auto";
  std::optional<std::uint32_t> processes;  // none: one a device
  std::optional<std::uint32_t> threads;
  std::optional<std::uint32_t> workers;
  std::uint64_t clear_cache_every = 10;
  std::optional<std::uint64_t> memory_limit;
  std::optional<std::uint64_t> device_memory_limit;

  RejectLimit max_rejects;
  bool strict = false;
  bool retry_rejects = false;
  bool overwrite = false;
  std::vector<std::string> reuse;  // older outputs, whose rows are taken in place of computed ones
  ReuseBy reuse_by = ReuseBy::kTime;
  bool update = false;
  std::optional<std::chrono::milliseconds> time_limit;
  std::optional<std::string> card;
  std::optional<std::string> model_sha256;
  SkipDuplicates skip_duplicates = SkipDuplicates::kOff;
  std::uint64_t max_pixels = 1ULL << 28;
  bool fast_decode = false;
  std::optional<ShardChoice> shard;  // scheduled_shard.hpp completes it

  ProgressStyle progress = ProgressStyle::kAuto;
  LogLevel log_level = LogLevel::kInfo;
  std::optional<std::string> log_file;
  std::optional<std::string> metrics_file;
  bool quiet = false;
  bool json = false;

  OnLeak on_leak = OnLeak::kWarn;
  std::optional<std::uint64_t> recycle_every;
  std::optional<double> mps_high_watermark;
  std::string cpu_kernels = "auto";  // auto, onednn, mkl, own
  std::string cpu_isa = "auto";      // auto, plain, avx2, avx512, avx512bf16
  std::string cpu_passes = "all";    // all, none, or names with commas between
};

// Whether two runs that differ in a setting are two runs: whether it makes the numbers, or decides
// which records have them. The fingerprint follows from it (session/run_identity.hpp).
enum class MakesNumbers {
  kNo,
  kYes,
  kOfImages,      // of those alone
  kOfMeanCompat,  // with --pooling mean-compat, whose vectors depend on their batch
};

// One row of the table that flags, environment, configuration files, --print-config and run.json
// are all made from.
struct Setting {
  std::string_view name;        // the long flag without dashes: "batch-size"
  std::string_view short_flag;  // "b", or empty
  std::string_view group;       // heading in --help-all; "" for what is rarely needed
  std::string_view value_name;  // "N", "DIR"; empty for a switch
  std::string_view help;
  std::function<void(RunConfig&, const std::string&)> set;  // throws Error(kUsage)
  std::function<nlohmann::json(const RunConfig&)> get;      // null: not set, decided later
  std::string unset = {};  // what null is called, and may be given as: "auto", "card", "none"
  MakesNumbers makes_numbers = MakesNumbers::kNo;
  bool repeatable = false;
  bool only_on_command_line = false;  // overwrite
  bool daily = false;                 // in -h; the others are in --help-all

  bool is_switch() const { return value_name.empty(); }
};
// In the order of --help-all.
const std::vector<Setting>& settings_table();
const Setting* find_setting(std::string_view name);
// "LONGHAUL_BATCH_SIZE" for "batch-size".
std::string environment_name(std::string_view setting);

enum class Origin { kDefault, kFile, kEnvironment, kFlag };
std::string_view to_string(Origin origin);

// Flag > environment > file > default. `flags` holds (name, value) in the order given;
// `environment` is a copy of the process's; `file` is a parsed --config (a run.json is replayed
// from its "settings"). Warnings (honoured foreign variables, values that make no sense) are
// returned.
struct ResolvedConfig {
  RunConfig config;
  std::map<std::string, Origin> origins;         // by setting name
  std::map<std::string, std::string> variables;  // the environment variable, where one decided
  std::vector<std::string> notices;
  std::vector<std::string> warnings;
  // Of a replayed run.json: where its relative paths mean what they meant.
  std::optional<std::string> recorded_directory;
};

// `file_name` is what messages call the file. The positions of the command line are not flags: the
// caller overwrites `config.model` and `config.inputs` with those that were given.
ResolvedConfig resolve_config(const std::vector<std::pair<std::string, std::string>>& flags,
                              const std::map<std::string, std::string>& environment,
                              const std::optional<nlohmann::json>& file,
                              const std::string& file_name = "--config");

// The text of a --config file: an object without repeated keys, else Error(kUsage) naming the line.
nlohmann::json parse_config_text(std::string_view text, const std::string& file_name);

// {"batch-size": {"value": 32, "origin": "flag"}, ...}; a value of null is decided later. What
// belongs to one command line only (overwrite) is left out, so the result can be replayed.
// `decided` holds what became of settings that were left open ("auto", the card's), by name: they
// are written with the origin "decided".
nlohmann::json describe_config(const ResolvedConfig& resolved, const nlohmann::json& decided);
nlohmann::json describe_config(const ResolvedConfig& resolved);
// What --print-config prints: model, inputs, then one setting per line. Readable as a --config
// file.
std::string print_config(const ResolvedConfig& resolved);
// Contradictions between settings: Error(kUsage).
void validate_config(const RunConfig& config);
// That model, input and output were named: Error(kUsage).
void require_positions(const RunConfig& config);

}  // namespace longhaul::config
