#include <algorithm>

#include "base/error.hpp"
#include "config/device_list.hpp"
#include "config/run_config.hpp"

namespace longhaul::config {
namespace {

[[noreturn]] void contradiction(const std::string& what, const std::string& remedy) {
  throw Error(ExitCode::kUsage, what, remedy);
}

void check_batches(const RunConfig& config) {
  if (config.batch_size && config.batch_tokens) {
    contradiction("--batch-size and --batch-tokens exclude each other", "give one of them");
  }
  if (config.order == Order::kInput && config.batch_tokens) {
    contradiction("--order input cuts batches by records, not by --batch-tokens",
                  "give --batch-size instead");
  }
  if (config.pooling == Pooling::kMeanCompat &&
      (config.order != Order::kInput || !config.batch_size)) {
    contradiction(
        std::string("--pooling mean-compat depends on which records share a batch, and ") +
            (config.order != Order::kInput ? "--order is " + std::string(to_string(config.order))
                                           : "--batch-size is auto"),
        "add --order input --batch-size N (the original used 8 or 32), or use --pooling mean");
  }
}

void check_rejects(const RunConfig& config) {
  if (config.strict && config.max_rejects.limited()) {
    contradiction("--strict and --max-rejects exclude each other",
                  "--strict is --max-rejects 0; give one of them");
  }
  if (config.retry_rejects && config.overwrite) {
    contradiction("--retry-rejects and --overwrite exclude each other",
                  "the one continues an output, the other deletes it");
  }
  if (config.retry_rejects && (config.recycle_every || config.on_leak == OnLeak::kRecycle)) {
    contradiction("--retry-rejects runs in one process, without recycling",
                  "leave out --recycle-every and --on-leak recycle");
  }
}

void check_outputs(const RunConfig& config) {
  const bool alone = config.pooling == Pooling::kNone;
  if (!config.tokens && !alone && config.tokens_dtype != RunConfig{}.tokens_dtype) {
    contradiction("--tokens-dtype has no meaning without --tokens",
                  "add --tokens, or leave it out");
  }
  if ((config.tokens || alone) && config.format == "images") {
    contradiction(
        std::string(alone ? "--pooling none" : "--tokens") + " has no meaning with --format images",
        "leave it out");
  }
  if (alone && config.layers.size() > 1) {
    contradiction("--pooling none writes the residues of one layer", "give one --layer");
  }
  if (alone &&
      (config.normalize == Normalize::kL2 || config.output_dtype != RunConfig{}.output_dtype)) {
    contradiction(std::string("--pooling none writes no vectors of records, which ") +
                      (config.normalize == Normalize::kL2 ? "--normalize" : "--output-dtype") +
                      " is about",
                  "leave that out; --tokens-dtype is the type of residues");
  }
}

void check_windows(const RunConfig& config) {
  if (config.too_long != TooLong::kWindow) {
    if (config.window_overlap) {
      contradiction("--window-overlap has no meaning without --too-long window",
                    "add --too-long window, or give --window-overlap quarter, which is none");
    }
    return;
  }
  if (config.order == Order::kInput) {
    contradiction(
        "--too-long window computes the windows of a record apart, and --order input "
        "whole records in the batches of the input",
        "use --order length, or --too-long truncate or reject");
  }
  if (config.format == "images") {
    contradiction("--too-long window has no meaning with --format images", "leave it out");
  }
}

// --skip-duplicates dhash looks at every picture, and batches of the input's order make a row
// depend on rows that would not be computed beside it.
void check_reuse(const RunConfig& config) {
  if (config.reuse.empty() && !config.update) {
    if (config.reuse_by != RunConfig{}.reuse_by) {
      contradiction("--reuse-by has no meaning without --reuse or --update",
                    "add one of them, or leave it out");
    }
    return;
  }
  const std::string what = config.update ? "--update" : "--reuse";
  if (config.retry_rejects) {
    contradiction(what + " and --retry-rejects exclude each other", "give one of them");
  }
  if (config.shard || config.processes.value_or(1) > 1 || names_several(config.device)) {
    contradiction(what + " runs in one process, without shards",
                  "leave out --shard and --processes, and name one --device");
  }
  if (config.pooling == Pooling::kMeanCompat || config.order == Order::kInput) {
    contradiction(what + " does not go with --order input, where a row depends on its batch",
                  "use --order length, or embed the whole input without " + what);
  }
  if (config.skip_duplicates == SkipDuplicates::kDhash) {
    contradiction(what + " does not go with --skip-duplicates dhash, which decodes every image",
                  "use --skip-duplicates exact, or embed without " + what);
  }
  std::vector<std::string> outputs = config.reuse;
  std::sort(outputs.begin(), outputs.end());
  if (const auto twice = std::adjacent_find(outputs.begin(), outputs.end());
      twice != outputs.end()) {
    contradiction("--reuse " + *twice + " is given twice", "give it once");
  }
}

void check_update(const RunConfig& config) {
  if (config.update && config.overwrite) {
    contradiction("--update and --overwrite exclude each other",
                  "the one takes the rows of an output, the other deletes it");
  }
  if (config.update && (config.recycle_every || config.on_leak == OnLeak::kRecycle)) {
    contradiction("--update runs in one process, without recycling",
                  "leave out --recycle-every and --on-leak recycle");
  }
}

void check_report(const RunConfig& config) {
  const bool shows =
      config.progress != ProgressStyle::kAuto && config.progress != ProgressStyle::kNone;
  if (config.quiet && shows) {
    contradiction("--quiet and --progress exclude each other", "give one of them");
  }
  if (config.quiet &&
      (config.log_level == LogLevel::kTrace || config.log_level == LogLevel::kDebug)) {
    contradiction("--quiet and --log-level below warning exclude each other", "give one of them");
  }
}

void check_input(const RunConfig& config) {
  const std::string format = config.format.value_or("");
  const bool columns = format.empty() || format == "csv" || format == "tsv" || format == "jsonl" ||
                       format == "parquet";
  if (config.sequence_column && !columns) {
    contradiction("--sequence-column has no meaning with --format " + format, "leave it out");
  }
  if (config.id_column && !columns && format != "images") {
    contradiction("--id-column has no meaning with --format " + format, "leave it out");
  }
  if (config.skip_lines > 0 && (format == "parquet" || format == "images")) {
    contradiction("--skip-lines has no meaning with --format " + format, "leave it out");
  }
  if (config.delimiter && !format.empty() && format != "csv" && format != "tsv") {
    contradiction("--delimiter has no meaning with --format " + format, "leave it out");
  }
  if (config.allow_nucleotides && format == "images") {
    contradiction("--allow-nucleotides has no meaning with --format images", "leave it out");
  }
  std::vector<std::string> kept = config.keep_column;
  std::sort(kept.begin(), kept.end());
  if (const auto twice = std::adjacent_find(kept.begin(), kept.end()); twice != kept.end()) {
    contradiction("--keep-column " + *twice + " is given twice", "give it once");
  }
}

void check_streams(const RunConfig& config) {
  const auto streams = std::count(config.inputs.begin(), config.inputs.end(), "-");
  if (streams > 1) {
    contradiction("standard input ('-') is given twice", "it can be read once");
  }
  if (streams > 0 && (config.recycle_every || config.on_leak == OnLeak::kRecycle)) {
    contradiction("a recycled process cannot read standard input again",
                  "give a file, or leave out --recycle-every and --on-leak recycle");
  }
}

void check_shard(const RunConfig& config) {
  if (!config.shard) {
    return;
  }
  if (config.retry_rejects) {
    contradiction("--shard and --retry-rejects exclude each other",
                  "merge the shards, then give --retry-rejects without --shard");
  }
  if (std::count(config.inputs.begin(), config.inputs.end(), "-") > 0) {
    contradiction("--shard cannot read standard input: every process reads all of the input",
                  "write it to a file first");
  }
}

void check_processes(const RunConfig& config) {
  const std::uint32_t count = config.processes.value_or(1);
  const std::vector<std::string> devices = listed_devices(config.device);
  const bool all = config.device == kAllCudaDevices;
  const bool several = names_several(config.device);
  if (count == 1 && !several) {
    return;
  }
  const std::string what =
      count > 1 ? "--processes " + std::to_string(count) : "--device " + config.device;
  const std::string one = several ? "name one --device, and no --processes"
                                  : "leave out --processes (or give --processes 1)";
  if (config.processes && !all && devices.size() > 1 && count != devices.size()) {
    contradiction("--processes " + std::to_string(count) + " and --device " + config.device +
                      ": there is one process a device",
                  "leave out --processes, or name as many devices");
  }
  if (count > 1 && !several && config.device != "auto" && config.device != "cpu") {
    contradiction(
        what + " cannot share --device " + config.device + ": there is one process a device",
        "name as many devices, as in --device cuda:0,1, or leave out --processes");
  }
  if (config.shard) {
    contradiction(what + " and --shard exclude each other",
                  "give --shard alone: what starts this process says which part it is");
  }
  if (config.retry_rejects) {
    contradiction("--retry-rejects runs in one process", one);
  }
  if (std::count(config.inputs.begin(), config.inputs.end(), "-") > 0) {
    contradiction(what + " cannot read standard input: every process reads all of the input",
                  "write it to a file first");
  }
}

}  // namespace

void validate_config(const RunConfig& config) {
  check_batches(config);
  check_rejects(config);
  check_outputs(config);
  check_windows(config);
  check_reuse(config);
  check_update(config);
  check_report(config);
  check_input(config);
  check_streams(config);
  check_shard(config);
  check_processes(config);
}

void require_positions(const RunConfig& config) {
  const std::string usage = "usage: longhaul embed MODEL INPUT... -o OUT";
  if (config.model.empty()) {
    contradiction("no model is given", usage);
  }
  if (config.inputs.empty() && !config.files_from) {
    contradiction("no input is given", usage);
  }
  if (config.output.empty()) {
    contradiction("no output directory is given", usage);
  }
}

}  // namespace longhaul::config
