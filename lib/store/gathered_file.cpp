#include "store/gathered_file.hpp"

#include <algorithm>
#include <utility>

#include "base/error.hpp"

namespace longhaul::store {

std::span<std::byte> GatheredFile::piece(std::uint64_t offset, std::size_t size) {
  constexpr std::size_t kGatherBytes = 8U << 20;
  auto found = pending_.find(offset);
  if (found == pending_.end()) {
    if (gathered_.size() + size > kGatherBytes) {
      flush();
    }
    found = pending_.emplace(offset, Piece{gathered_.size(), size}).first;
    gathered_.resize(gathered_.size() + size);
  }
  if (found->second.size != size) {
    throw Error(ExitCode::kInternal, "a piece of " + std::to_string(size) +
                                         " bytes replaces one of " +
                                         std::to_string(found->second.size));
  }
  return std::span(gathered_).subspan(found->second.at, size);
}

std::vector<std::byte> GatheredFile::read(std::uint64_t offset, std::size_t size) {
  flush();
  std::vector<std::byte> bytes(size);
  bytes.resize(file_->read_at(offset, bytes));
  return bytes;
}

void GatheredFile::flush() {
  std::uint64_t begin = 0;
  for (const auto& [offset, piece] : pending_) {
    if (!run_.empty() && offset != begin + run_.size()) {
      write_run(begin);
    }
    if (run_.empty()) {
      begin = offset;
    }
    const auto from = gathered_.begin() + static_cast<std::ptrdiff_t>(piece.at);
    run_.insert(run_.end(), from, from + static_cast<std::ptrdiff_t>(piece.size));
  }
  if (!run_.empty()) {
    write_run(begin);
  }
  pending_.clear();
  gathered_.clear();
}

void GatheredFile::write_run(std::uint64_t offset) {
  dirty_ = true;
  file_->write_at(offset, run_);
  file_->start_writeback(offset, run_.size());
  run_.clear();
}

void GatheredFile::sync() {
  flush();
  if (dirty_) {
    file_->sync();
    dirty_ = false;
  }
}

void GatheredFile::cut(std::uint64_t size) {
  flush();
  file_->truncate(size);
  dirty_ = true;
}

void GatheredFile::write_now(std::uint64_t offset, std::span<const std::byte> bytes) {
  file_->write_at(offset, bytes);
  dirty_ = true;
}

}  // namespace longhaul::store
