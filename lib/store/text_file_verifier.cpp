#include "store/text_file_verifier.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "base/hash.hpp"
#include "store/journal.hpp"
#include "store/record_csv.hpp"

namespace longhaul::store {

TextFileVerifier::TextFileVerifier(Files& files, std::string path, Verification& result)
    : path_(std::move(path)), result_(result) {
  if (files.exists(path_)) {
    file_ = files.open(path_, OpenMode::kRead);
  }
}

void TextFileVerifier::commit(std::uint64_t bytes, std::uint64_t hash) {
  if (!file_ || failed_) {
    return;
  }
  RunningHash64 running;
  std::string chunk;
  for (std::uint64_t at = end_; at < bytes; at += chunk.size()) {
    chunk.resize(std::min<std::uint64_t>(bytes - at, 1U << 20));
    chunk.resize(file_->read_at(at, std::as_writable_bytes(std::span(chunk.data(), chunk.size()))));
    if (chunk.empty()) {
      failed_ = true;
      result_.add(path_, "ends at byte " + std::to_string(at) + "; the journal claims " +
                             std::to_string(bytes));
      return;
    }
    running.add(chunk);
  }
  if (bytes < end_ || running.value() != hash) {
    failed_ = true;
    result_.add(path_, "bytes " + std::to_string(end_) + " to " + std::to_string(bytes) +
                           " are not what was committed");
  }
  end_ = bytes;
}

void TextFileVerifier::check_end() {
  if (!file_) {
    result_.add(path_, "is missing");
  } else if (!failed_ && file_->size() != end_) {
    result_.add(path_, "has " + std::to_string(file_->size()) + " bytes; the journal claims " +
                           std::to_string(end_));
  }
}

// A retry wrote both tables anew: what was claimed before it counts no longer.
void verify_tables(Files& files, const OutputReader& output, Verification& result) {
  TextFileVerifier records(files, output.path_of(store_files::kRecords), result);
  TextFileVerifier rejects(files, output.path_of(store_files::kRejects), result);
  const std::string journal = output.path_of(store_files::kJournal);
  std::uint64_t retries = output.claims()->run.retries;
  scan_journal(*files.open(journal, OpenMode::kRead), journal, [&](const JournalLine& line) {
    if (line.kind == "retry" ? --retries == 0 : line.kind == "commit" && retries == 0) {
      const FileClaims claims = claims_from_json(parse_journal_line(journal, line));
      records.commit(claims.records_bytes, claims.records_hash);
      rejects.commit(claims.rejects_bytes, claims.rejects_hash);
    }
  });
  if (output.finished() && !output.claims()->run.progress) {
    // No record came, so nothing was committed: they are their headers.
    const std::string header = records_header(output.layout());
    records.commit(header.size(), hash64(header));
    rejects.commit(rejects_header().size(), hash64(rejects_header()));
  }
  if (output.finished()) {
    records.check_end();
    rejects.check_end();
  }
}

}  // namespace longhaul::store
