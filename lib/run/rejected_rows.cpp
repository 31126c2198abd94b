#include "run/rejected_rows.hpp"

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::run {

RejectedRows::RejectedRows(Files& files, const std::string& rejects, std::uint64_t rejected)
    : file_(files.open(rejects, OpenMode::kRead)), name_(rejects), rejected_(rejected) {
  rewind();
}

void RejectedRows::rewind() {
  rows_.emplace(*file_, name_, file_->size());
  rows_->next();  // the header
  row_.reset();
  advance();
}

void RejectedRows::advance() {
  const std::optional<std::vector<std::string>> fields = rows_->next();
  if (!fields) {
    row_.reset();
    return;
  }
  const std::optional<std::uint64_t> row = parse_count(fields->front());
  if (!row || (row_ && *row <= *row_)) {
    throw Error(ExitCode::kBadData,
                "rejects.csv, line " + std::to_string(rows_->line()) + " is damaged",
                "see what `longhaul verify` says of the output");
  }
  row_ = row;
}

bool RejectedRows::wants(std::uint64_t position, const Record&) {
  if (position < asked_) {
    rewind();
  }
  asked_ = position;
  while (row_ && *row_ < position) {
    advance();
  }
  return row_ == position;
}

}  // namespace longhaul::run
