// The one table of settings. A new setting is a field of RunConfig and a row here.
#include <algorithm>
#include <array>

#include "config/run_config.hpp"
#include "config/setting_values.hpp"
#include "config/setting_words.hpp"

namespace longhaul::config {
namespace {

constexpr std::string_view kInput = "Input";
constexpr std::string_view kOutput = "Output";
constexpr std::string_view kNumbers = "What the numbers are";
constexpr std::string_view kBatches = "Batches";
constexpr std::string_view kMachine = "Machine and memory";
constexpr std::string_view kBadRecords = "Bad records";
constexpr std::string_view kImages = "Images";
constexpr std::string_view kReport = "Progress and log";
constexpr std::string_view kExpert = "";

// What -h shows.
constexpr std::array<std::string_view, 12> kDaily{
    "format",   "sequence-column", "id-column",  "keep-column", "output",      "overwrite",
    "too-long", "unknown",         "batch-size", "device",      "max-rejects", "retry-rejects"};

struct Names {
  std::string_view name;
  std::string_view short_flag = "";
};

struct Row {
  Setting setting;
  std::vector<std::string> words;
};

Row row(std::string_view group, Names names, std::string_view value_name, std::string_view help,
        values::Access access) {
  return {{names.name, names.short_flag, group, value_name, help, std::move(access.set),
           std::move(access.get), std::move(access.unset)},
          std::move(access.words)};
}

Row makes_numbers(Row row, MakesNumbers when = MakesNumbers::kYes) {
  row.setting.makes_numbers = when;
  return row;
}

Row repeatable(Row row) {
  row.setting.repeatable = true;
  return row;
}

Row only_on_command_line(Row row) {
  row.setting.only_on_command_line = true;
  return row;
}

std::vector<Row> make_table() {
  using C = RunConfig;
  namespace v = values;
  constexpr v::Range kPositive{1};
  return {
      row(kInput, {"format"}, "NAME",
          "fasta, csv, tsv, jsonl, parquet or images (default: from the name, else from what is in "
          "it); text may be compressed with gzip, Zstandard, bzip2 or LZ4",
          v::word(&C::format, {"fasta", "csv", "tsv", "jsonl", "parquet", "images"}, "auto")),
      row(kInput, {"files-from"}, "FILE",
          "a list of inputs or image paths: one per line, or a CSV with a path column",
          v::text(&C::files_from)),
      makes_numbers(
          row(kInput, {"sequence-column"}, "NAME",
              "column that holds the sequence (default: sequence, else seq, else vh_sequence)",
              v::text(&C::sequence_column))),
      makes_numbers(row(
          kInput, {"id-column"}, "NAME",
          "column that holds the id (default: id, else sequence_id, Entry or accession, else the "
          "number)",
          v::text(&C::id_column))),
      makes_numbers(repeatable(row(kInput, {"keep-column"}, "NAME",
                                   "copy this column to records.csv; may be given several times",
                                   v::texts(&C::keep_column)))),
      makes_numbers(row(kInput, {"skip-lines"}, "N",
                        "leave out the first N lines of each text file",
                        v::count(&C::skip_lines, {}))),
      makes_numbers(row(
          kInput, {"delimiter"}, "C",
          "what separates the cells of CSV and TSV (default: comma, semicolon, tab or bar, as the "
          "header line has it)",
          v::delimiter(&C::delimiter, "auto"))),
      row(kInput, {"allow-nucleotides"}, "", "embed input that looks like DNA or RNA",
          v::toggle(&C::allow_nucleotides)),

      row(kOutput, {"output", "o"}, "DIR", "the output directory; an existing one is resumed",
          v::text(&C::output)),
      makes_numbers(row(kOutput, {"output-dtype"}, "TYPE",
                        "type of the numbers in embeddings.npy: fp32, fp16",
                        v::choice(&C::output_dtype))),
      makes_numbers(repeatable(row(kOutput, {"layer"}, "NAME",
                                   "write this output of the model, as its card names it; may be "
                                   "given several times: the first is embeddings.npy, others are "
                                   "embeddings.NAME.npy",
                                   v::texts(&C::layers)))),
      makes_numbers(row(kOutput, {"tokens"}, "",
                        "write the vectors of all residues too, to tokens.npy, and where each "
                        "record's begin to token_offsets.npy",
                        v::toggle(&C::tokens))),
      makes_numbers(row(kOutput, {"tokens-dtype"}, "TYPE",
                        "type of the numbers in tokens.npy: fp16, fp32",
                        v::choice(&C::tokens_dtype))),
      only_on_command_line(
          row(kOutput, {"overwrite"}, "",
              "start anew: delete what an earlier run left in the output directory (only our "
              "files, only by this flag)",
              v::toggle(&C::overwrite))),
      repeatable(
          row(kOutput, {"reuse"}, "DIR",
              "compute only what has no row in this older output, by content and by the "
              "settings that make the numbers, and take the other rows from it; may be given "
              "several times. An index of its rows is held in memory, 32 bytes each",
              v::texts(&C::reuse))),
      row(kOutput, {"reuse-by"}, "HOW",
          "time: images whose path, size and time are as in that output are not read again; "
          "content: all are",
          v::choice(&C::reuse_by)),
      row(kOutput, {"update"}, "",
          "make the output anew for an input that has changed, from its own rows where it has them "
          "(--reuse), in DIR.update, and exchange the two when all is there",
          v::toggle(&C::update)),
      row(kOutput, {"commit-every"}, "TIME", "what a kill can cost; 0 commits every batch",
          v::duration(&C::commit_every)),
      row(kOutput, {"time-limit"}, "TIME",
          "commit and exit 75 in time, so that the same command can continue (default: none)",
          v::duration(&C::time_limit, "none")),
      row(kOutput, {"shard"}, "I/N",
          "embed only shard I of N, as one of N processes that share the work; auto and auto/N "
          "take I from the scheduler",
          v::shard(&C::shard, "none")),
      row(kOutput, {"json"}, "", "one machine-readable summary on standard output",
          v::toggle(&C::json)),

      makes_numbers(row(
          kNumbers, {"pooling"}, "NAME",
          "mean, mean-compat, cls or max (default: the card's); mean-compat repeats the original "
          "pipeline's formula. none: no embeddings.npy, only the residues of --tokens",
          v::choice(&C::pooling, "card"))),
      makes_numbers(row(kNumbers, {"normalize"}, "NAME", "none or l2 (default: the card's)",
                        v::choice(&C::normalize, "card"))),
      makes_numbers(row(kNumbers, {"dtype"}, "TYPE", "type of the computation: fp32, bf16, fp16",
                        v::choice(&C::dtype))),
      makes_numbers(row(kNumbers, {"max-length"}, "N",
                        "longest record in tokens, special ones included (default: the card's)",
                        v::count(&C::max_length, kPositive, "card"))),
      makes_numbers(row(kNumbers, {"too-long"}, "POLICY",
                        "longer records: reject, truncate to the first residues, or window: all, "
                        "in overlapping windows",
                        v::choice(&C::too_long))),
      makes_numbers(row(kNumbers, {"window-overlap"}, "N",
                        "residues that two windows of a --too-long window record share (default: a "
                        "quarter of a window)",
                        v::count(&C::window_overlap, {}, "quarter"))),
      makes_numbers(row(
          kNumbers, {"unknown"}, "POLICY",
          "what to do with characters outside the model's alphabet: reject the record, or embed "
          "them as the unknown token",
          v::choice(&C::unknown))),
      makes_numbers(
          row(kNumbers, {"gaps"}, "POLICY",
              "what to do with the '-' and '.' of alignments: reject the record, or remove them",
              v::choice(&C::gaps))),
      makes_numbers(row(kNumbers, {"skip-duplicates"}, "KIND",
                        "off; exact: equal records are computed once; dhash: images that look like "
                        "an earlier one have no vector",
                        v::choice(&C::skip_duplicates))),
      row(kNumbers, {"allow-batch-dependent"}, "",
          "embed with a model whose vectors depend on the other records of their batch; the output "
          "is marked as numeric",
          v::toggle(&C::allow_batch_dependent)),
      row(kNumbers, {"card"}, "FILE", "the encoder card from elsewhere", v::text(&C::card)),
      row(kNumbers, {"model-sha256"}, "HEX", "refuse any other model file",
          v::sha256(&C::model_sha256)),

      makes_numbers(
          row(kBatches, {"batch-size", "b"}, "N",
              "records in hand at a time, in whole parts (a part is what is computed together, "
              "whatever this says): 1 is one part (default: auto)",
              v::count(&C::batch_size, {1, 1'000'000}, "auto")),
          MakesNumbers::kOfMeanCompat),
      row(kBatches, {"batch-tokens"}, "N",
          "padded tokens in hand at a time, in whole parts (default: auto); excludes --batch-size",
          v::count(&C::batch_tokens, kPositive, "auto")),
      row(kBatches, {"window"}, "N", "records read ahead and sorted by length",
          v::count(&C::window, {1, 1U << 24})),
      makes_numbers(
          row(kBatches, {"order"}, "ORDER",
              "length: sorted by length inside a window; input: batches of consecutive records, as "
              "the original pipelines ran",
              v::choice(&C::order)),
          MakesNumbers::kOfMeanCompat),

      makes_numbers(
          row(kMachine, {"device"}, "NAME",
              "auto, cpu, cuda, cuda:N or mps; auto is cuda, mps, cpu. cuda:0,2 or cuda:all: a "
              "process for each of several",
              v::device(&C::device))),
      row(kMachine, {"processes"}, "N",
          "processes that share the work, each with its share of threads and memory; their shards "
          "are merged at the end (default: one a device)",
          v::count(&C::processes, {1, 4096}, "auto")),
      row(kMachine, {"threads"}, "N",
          "threads that encode, in each process (default: from the machine)",
          v::count(&C::threads, {1, 4096}, "auto")),
      row(kMachine, {"workers", "j"}, "N",
          "threads that prepare records (default: from the machine)",
          v::count(&C::workers, {1, 4096}, "auto")),
      row(kMachine, {"clear-cache-every"}, "N",
          "batches between clearing the device's caches; 0 is never",
          v::count(&C::clear_cache_every, {})),
      row(kMachine, {"memory-limit"}, "SIZE",
          "batches shrink before this much memory is used (default: 80 % of RAM or of the cgroup)",
          v::size(&C::memory_limit, "auto")),
      row(kMachine, {"device-memory-limit"}, "SIZE",
          "the same for the device's memory (default: 90 % of it)",
          v::size(&C::device_memory_limit, "auto")),

      row(kBadRecords, {"max-rejects"}, "N|P%",
          "most bad records; a share counts from 1,000 on and at the end (default: none)",
          v::reject_limit(&C::max_rejects)),
      row(kBadRecords, {"strict"}, "", "stop at the first bad record", v::toggle(&C::strict)),
      row(kBadRecords, {"retry-rejects"}, "", "embed again only the rejected rows of the output",
          v::toggle(&C::retry_rejects)),

      makes_numbers(
          row(kImages, {"max-pixels"}, "N", "larger images are rejected from their header",
              v::count(&C::max_pixels, kPositive)),
          MakesNumbers::kOfImages),
      makes_numbers(row(kImages, {"fast-decode"}, "",
                        "decode large JPEG files at 1/2, 1/4 or 1/8 of their size, with at least "
                        "twice the pixels that the resize needs left: faster, with other pixels; "
                        "how far vectors drift is recorded",
                        v::toggle(&C::fast_decode)),
                    MakesNumbers::kOfImages),

      row(kReport, {"progress"}, "STYLE",
          "auto, bar, lines, json or none; auto is a bar on a terminal, else a line every 30 s",
          v::choice(&C::progress)),
      row(kReport, {"log-level"}, "LEVEL", "trace, debug, info, warning, error or off",
          v::choice(&C::log_level)),
      row(kReport, {"log-file"}, "FILE", "append the log, with times, to this file",
          v::text(&C::log_file)),
      row(kReport, {"metrics-file"}, "FILE",
          "keep how far the run is in this file, as Prometheus reads it (FILE.prom for "
          "node_exporter); replaced every 5 s",
          v::text(&C::metrics_file)),
      row(kReport, {"quiet", "q"}, "", "nothing but warnings on standard error",
          v::toggle(&C::quiet)),

      row(kExpert, {"on-leak"}, "ACTION",
          "what to do when memory grows with the batches: warn, stop, or recycle the process",
          v::choice(&C::on_leak)),
      row(kExpert, {"recycle-every"}, "N",
          "batches after which the program commits and replaces itself (default: never)",
          v::count(&C::recycle_every, kPositive, "never")),
      row(kExpert, {"mps-high-watermark"}, "R",
          "high watermark of Metal's allocator, as a share of its recommended size; 0 removes the "
          "guard (default: as the environment has it)",
          v::ratio(&C::mps_high_watermark, 2.0, "unchanged")),
      row(kExpert, {"cpu-kernels"}, "NAME",
          "auto, onednn, mkl or own: whose products on a CPU; own are bf16",
          v::word(&C::cpu_kernels, {"auto", "onednn", "mkl", "own"})),
      row(kExpert, {"cpu-isa"}, "NAME",
          "auto, plain, avx2, avx512 or avx512bf16: what the program's own kernels use on a CPU; "
          "for debugging",
          v::word(&C::cpu_isa, {"auto", "plain", "avx2", "avx512", "avx512bf16"})),
      row(kExpert, {"cpu-passes"}, "LIST",
          "which passes change a model's graph on a CPU: all, none, or some of merge, linear, "
          "rotation, attention, convolution, norm; for debugging",
          v::text(&C::cpu_passes)),
  };
}

}  // namespace

const std::vector<Setting>& settings_table() {
  static const std::vector<Setting> table = [] {
    std::vector<Setting> settings;
    for (Row& row : make_table()) {
      const std::string_view name = row.setting.name;
      row.setting.daily = std::find(kDaily.begin(), kDaily.end(), name) != kDaily.end();
      settings.push_back(std::move(row.setting));
    }
    return settings;
  }();
  return table;
}

std::vector<std::string> words_of_setting(std::string_view name) {
  for (Row& row : make_table()) {
    if (row.setting.name == name) {
      return std::move(row.words);
    }
  }
  return {};
}

const Setting* find_setting(std::string_view name) {
  const std::vector<Setting>& table = settings_table();
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const Setting& setting) { return setting.name == name; });
  return found == table.end() ? nullptr : &*found;
}

std::string environment_name(std::string_view setting) {
  std::string name = "LONGHAUL_";
  for (const char c : setting) {
    name += c == '-' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

}  // namespace longhaul::config
