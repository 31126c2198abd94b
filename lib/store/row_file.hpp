// The rows of embeddings.npy and their checksums. Rows come in any order; they are gathered and
// written in runs, by position. The headers stay zero until finish().
// One thread, the store's. Failures of the file system are Error(kIo).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/files.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::store {

class RowFile {
 public:
  // `rows` is how far the files are claimed; both are cut there.
  RowFile(const OutputSpec& output, std::unique_ptr<File> embeddings,
          std::unique_ptr<File> checksums, std::uint64_t rows);

  bool put(std::uint64_t row, std::span<const float> vector);  // EmbeddingStore::put_vector
  void put_nan(std::uint64_t row);
  std::vector<float> get(std::uint64_t row);
  // Whether the row is in the file as its checksum says.
  bool intact(std::uint64_t row);
  void flush();
  void sync();
  // The rows from here on count no more; cut() takes them out of the files.
  void forget(std::uint64_t rows) { rows_ = rows; }
  void cut();
  void finish(std::uint64_t rows);              // headers; durable when it returns
  std::uint64_t rows() const { return rows_; }  // highest row put, plus one

 private:
  std::span<std::byte> slot(std::uint64_t row);
  void write_run(std::uint64_t first, std::span<const std::size_t> slots);

  OutputSpec output_;
  std::uint64_t row_bytes_;
  std::unique_ptr<File> embeddings_;
  std::unique_ptr<File> checksums_;
  std::uint64_t rows_;
  std::map<std::uint64_t, std::size_t> pending_;  // row -> slot in gathered_
  std::vector<std::byte> gathered_;
  std::vector<std::byte> run_;
  bool dirty_ = true;
};

}  // namespace longhaul::store
