#include "store/text_file_verifier.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "base/hash.hpp"

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

}  // namespace longhaul::store
