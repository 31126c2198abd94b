#include "store/checked_rows.hpp"

#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/row_sums.hpp"
#include "store/shards.hpp"
#include "store/text_file_verifier.hpp"

namespace longhaul::store {
namespace {

constexpr const char* kRemedy =
    "run longhaul verify on it, and restore it from a copy or embed again with --overwrite";

[[noreturn]] void damaged(const std::string& where, const std::string& what) {
  throw Error(ExitCode::kBadData, printable(where, 400) + " " + what, kRemedy);
}

void require_begun(Files& files, const std::string& path) {
  if (files.kind(path) != PathKind::kDirectory ||
      files.exists(path_in(path, store_files::kJournal))) {
    return;
  }
  if (has_shards(files, path)) {
    refuse_unmerged(path);
  }
  throw Error(ExitCode::kMismatch,
              printable(path, 400) + " is no output of longhaul embed: it has no journal.jsonl",
              "name the --output of a run, with all of its files");
}

}  // namespace

void refuse_unmerged(const std::string& path, const std::string& otherwise) {
  throw Error(ExitCode::kInterrupted, printable(path, 400) + " holds shards that are not merged",
              "give longhaul merge " + shell_word(path) + " first" +
                  (otherwise.empty() ? "" : ", or " + otherwise));
}

bool holds_vector(std::span<const float> first) {
  return !first.empty() && !std::isnan(first.front());
}

OutputReader open_finished(Files& files, const std::string& path) {
  require_begun(files, path);
  OutputReader output(files, path, OutputReader::JournalFile::kRequired, kRemedy);
  if (const std::string writer = output.writer(); !writer.empty()) {
    throw Error(ExitCode::kUnavailable,
                "a run is writing to " + printable(path, 400) + ": " + writer,
                "give this command when it has ended");
  }
  if (!output.finished()) {
    if (has_shards(files, path)) {
      refuse_unmerged(path);
    }
    throw Error(ExitCode::kInterrupted, printable(path, 400) + " holds a run that is not finished",
                "give its embed command again, then this one");
  }
  std::vector<std::string> needed{store_files::kReport, store_files::kChecksums};
  for (const OutputSpec& array : output.layout().outputs) {
    needed.push_back(array_file(array));
    if (array.kind == ArrayKind::kTokens) {
      needed.push_back(offsets_file(array));
    }
  }
  for (const std::string& name : needed) {
    if (!output.has(name)) {
      damaged(output.path_of(name), "is missing");
    }
  }
  Verification tables;
  verify_tables(files, output, tables);
  if (!tables.good()) {
    damaged(tables.findings.front().where, tables.findings.front().what);
  }
  if (!report_is_claimed(files, path, output.claims()->run)) {
    damaged(output.path_of(store_files::kReport), "is not what the run wrote when it finished");
  }
  return output;
}

CheckedRows::CheckedRows(const OutputReader& output)
    : rows_(output.claims()->run.finish->at("rows").get<std::uint64_t>()),
      records_(output.records()),
      arrays_(output.arrays()),
      checksums_(output.checksums()) {
  for (ArrayReader& array : arrays_) {
    array.require_header(rows_);
  }
}

bool CheckedRows::next(RecordRow& record) {
  if (!records_.next(record)) {
    if (given_ != rows_) {
      damaged(records_.path(),
              "holds " + format_count(given_) + " of " + format_count(rows_) + " records");
    }
    return false;
  }
  if (const auto fault = fault_of_row(arrays_, checksums_, record.row)) {
    damaged(fault->where, fault->what);
  }
  row_ = record.row;
  ++given_;
  return true;
}

bool CheckedRows::has_vector(const RecordRow& record) {
  if (record.status != Status::kDuplicate) {
    return record.status == Status::kOk;
  }
  return holds_vector(numbers(0));
}

}  // namespace longhaul::store
