#include "store/checked_rows.hpp"

#include <optional>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "store/row_hash.hpp"
#include "store/shards.hpp"
#include "store/text_file_verifier.hpp"

namespace longhaul::store {
namespace {

constexpr const char* kRemedy =
    "run longhaul verify on it, and restore it from a copy or embed again with --overwrite";

[[noreturn]] void damaged(const std::string& where, const std::string& what) {
  throw Error(ExitCode::kBadData, printable(where, 400) + " " + what, kRemedy);
}

[[noreturn]] void unmerged(const std::string& path) {
  throw Error(ExitCode::kInterrupted, printable(path, 400) + " holds shards that are not merged",
              "give longhaul merge " + shell_word(path) + " first");
}

void require_begun(Files& files, const std::string& path) {
  if (files.kind(path) != PathKind::kDirectory ||
      files.exists(path_in(path, store_files::kJournal))) {
    return;
  }
  if (has_shards(files, path)) {
    unmerged(path);
  }
  throw Error(ExitCode::kMismatch,
              printable(path, 400) + " is no output of longhaul embed: it has no journal.jsonl",
              "name the --output of a run, with all of its files");
}

void require_report(Files& files, const OutputReader& output) {
  const std::string path = output.path_of(store_files::kReport);
  if (to_hex(hash64(read_text(files, path))) !=
      output.claims()->run.finish->at("report").get<std::string>()) {
    damaged(path, "is not what the run wrote when it finished");
  }
}

}  // namespace

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
      unmerged(path);
    }
    throw Error(ExitCode::kInterrupted, printable(path, 400) + " holds a run that is not finished",
                "give its embed command again, then this one");
  }
  Verification tables;
  verify_tables(files, output, tables);
  if (!tables.good()) {
    damaged(tables.findings.front().where, tables.findings.front().what);
  }
  require_report(files, output);
  return output;
}

CheckedRows::CheckedRows(const OutputReader& output)
    : rows_(output.claims()->run.finish->at("rows").get<std::uint64_t>()),
      records_(output.records()),
      checksums_(output.checksums()) {
  for (const OutputSpec& spec : output.layout().outputs) {
    arrays_.push_back(output.array(spec));
    arrays_.back().require_header(rows_);
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
  check(record.row);
  row_ = record.row;
  ++given_;
  return true;
}

void CheckedRows::check(std::uint64_t row) {
  RowHash hash;
  for (ArrayReader& array : arrays_) {
    const auto bytes = array.bytes(row);
    if (!bytes) {
      damaged(array.where(row), "is missing: the file ends before it");
    }
    hash.add(*bytes);
  }
  const std::optional<std::uint64_t> expected = checksums_.of(row);
  if (!expected || hash.value() != *expected) {
    damaged(arrays_.front().where(row), "does not match its checksum");
  }
}

}  // namespace longhaul::store
