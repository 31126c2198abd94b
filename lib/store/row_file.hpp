// The rows of an output's array and their checksums. Rows come in any order; the headers stay zero
// until finish(). One thread, the store's. Failures of the file system are Error(kIo).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/files.hpp"
#include "store/array_sink.hpp"
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
  bool intact(std::uint64_t row) { return stored(row).has_value(); }
  void flush();
  void sync();
  // The rows from here on count no more; cut() takes them out of the files.
  void forget(std::uint64_t rows) { vectors_.forget(rows); }
  void cut();
  void finish(std::uint64_t rows);                              // headers; durable when it returns
  std::uint64_t rows() const { return vectors_.claim().rows; }  // highest row put, plus one

 private:
  void put_checksum(std::uint64_t row, std::span<const std::byte> bytes);
  // Nothing where the row is not there as its checksum says.
  std::optional<std::vector<std::byte>> stored(std::uint64_t row);

  OutputSpec output_;
  FixedRows vectors_;
  GatheredFile checksums_;
};

}  // namespace longhaul::store
