// The arrays of an output that is being written, and the checksums of their rows: one ArraySink for
// each output of the layout, and one checksum over a row's parts in all of them. Rows come in any
// order; the headers stay zero until finish(). One thread, the store's. Failures of the file system
// are Error(kIo).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "store/array_sink.hpp"
#include "store/embedding_store.hpp"
#include "store/journal_state.hpp"

namespace longhaul::store {

class RowArrays {
 public:
  using Create = std::function<std::unique_ptr<File>(const std::string& name)>;

  // The files are cut to what is claimed of them.
  RowArrays(const StoreLayout& layout, const Create& create, const FileClaims& claims);

  void place(std::uint64_t first_row, std::span<const std::uint32_t> residues);
  bool put(std::uint64_t row, std::span<const std::span<const float>> values);
  void put_nan(std::uint64_t row);
  std::vector<std::vector<float>> get(std::uint64_t row);
  // Whether the row is in the files as its checksum says.
  bool intact(std::uint64_t row) { return stored(row).has_value(); }
  void flush();
  void sync();
  // What a commit may claim of the first `rows` rows after sync(): "extent" and "arrays" of it.
  FileClaims claims(std::uint64_t rows);
  // The rows from here on count no more; cut() takes them out of the files.
  void forget(std::uint64_t rows);
  void cut();
  void finish(std::uint64_t rows);                // headers; durable when it returns
  std::uint64_t rows() const { return extent_; }  // highest row put, plus one

 private:
  // A row's bytes in each array; nothing where they are not there as their checksum says.
  std::optional<std::vector<std::vector<std::byte>>> stored(std::uint64_t row);
  void put_checksum(std::uint64_t row, std::uint64_t sum);

  const std::vector<OutputSpec> outputs_;
  std::vector<std::unique_ptr<ArraySink>> sinks_;  // one for each
  GatheredFile checksums_;
  std::uint64_t extent_;
};

}  // namespace longhaul::store
