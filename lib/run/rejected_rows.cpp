#include "run/rejected_rows.hpp"

namespace longhaul::run {
namespace {

constexpr const char* kRemedy = "see what `longhaul verify` says of the output";

}  // namespace

RejectedRows::RejectedRows(Files& files, const std::string& rejects, std::uint64_t rejected)
    : files_(files), name_(rejects), rejected_(rejected) {
  rewind();
}

void RejectedRows::rewind() {
  rows_.emplace(store::open_own_table(files_, name_, kRemedy), kRemedy);
  row_.reset();
  advance();
}

void RejectedRows::advance() {
  RecordRow rejected;
  row_ = rows_->next(rejected) ? std::optional(rejected.position) : std::nullopt;
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
