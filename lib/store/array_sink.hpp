// One array of an output that is being written: rows in any order, each to a place that is known
// before it is computed. Two kinds: FixedRows, one vector a row, placed by the row's number;
// RaggedRows, as many vectors as the row has residues, placed by the lengths of the rows before it.
//
// The owner (a store) says what a commit claims: sync() first, then the claim in its journal. A
// process that continues makes the sink with that claim, and everything behind it is cut off. A
// window is placed as a whole, before any row of it is put; a resumed one is placed again, alike.
// One thread. Failures of the file system are Error(kIo); rows that are not placed, or placed in
// another way than they were, are misuse (kInternal) or damage (kBadData).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/files.hpp"
#include "domain/output_spec.hpp"
#include "store/gathered_file.hpp"

namespace longhaul::store {

struct ArrayClaim {
  std::uint64_t rows = 0;     // that are placed: of FixedRows the highest that was put, plus one
  std::uint64_t vectors = 0;  // that the file holds at least: as many as rows, of FixedRows
  friend bool operator==(const ArrayClaim&, const ArrayClaim&) = default;
};

// Whether an array of these has as many vectors a row as its record has residues: a commit then
// claims of each how far it goes.
inline bool has_tokens(std::span<const OutputSpec> outputs) {
  return std::any_of(outputs.begin(), outputs.end(),
                     [](const OutputSpec& output) { return output.kind == ArrayKind::kTokens; });
}

class ArraySink {
 public:
  virtual ~ArraySink() = default;

  // Rows first_row on will have so many vectors each; they follow those that are placed, or are
  // those of a window that is placed already.
  virtual void place(std::uint64_t first_row, std::span<const std::uint32_t> vectors) = 0;
  // All numbers of a row, converted to the output's type. The bytes that are stored, valid until
  // the next call; nothing, and nothing is stored, when a number is not finite in that type.
  // Putting a row again replaces it.
  [[nodiscard]] virtual std::optional<std::span<const std::byte>> put(
      std::uint64_t row, std::span<const float> values) = 0;
  // NaN throughout; the bytes.
  virtual std::span<const std::byte> put_nan(std::uint64_t row) = 0;
  // As it was stored; fewer bytes where it never was.
  virtual std::vector<std::byte> get(std::uint64_t row) = 0;
  // Writes what is gathered, and does not wait for it.
  virtual void flush() = 0;
  virtual void sync() = 0;
  // What a commit may claim of the first `rows` rows after sync().
  virtual ArrayClaim claim(std::uint64_t rows) = 0;
  // Rows from here on are no longer placed; cut() takes them out of the files, which the owner does
  // once its journal has given them up.
  virtual void forget(std::uint64_t rows) = 0;
  virtual void cut() = 0;
  // All rows are put: headers. Durable when it returns.
  virtual void finish(std::uint64_t rows) = 0;
};

class FixedRows : public ArraySink {
 public:
  FixedRows(const OutputSpec& output, std::unique_ptr<File> file, const ArrayClaim& claim);

  void place(std::uint64_t, std::span<const std::uint32_t>) override {}  // a number is a place
  std::optional<std::span<const std::byte>> put(std::uint64_t row,
                                                std::span<const float> values) override;
  std::span<const std::byte> put_nan(std::uint64_t row) override;
  std::vector<std::byte> get(std::uint64_t row) override;
  void flush() override { file_.flush(); }
  void sync() override { file_.sync(); }
  ArrayClaim claim(std::uint64_t rows) override;
  void forget(std::uint64_t rows) override { rows_ = rows; }
  void cut() override;
  void finish(std::uint64_t rows) override;

 private:
  std::span<std::byte> piece(std::uint64_t row);

  OutputSpec output_;
  GatheredFile file_;
  std::uint64_t rows_;
};

class RaggedRows : public ArraySink {
 public:
  // Checks that the offsets say what is claimed: Error(kBadData).
  RaggedRows(const OutputSpec& output, std::unique_ptr<File> data, std::unique_ptr<File> offsets,
             const ArrayClaim& claim);

  void place(std::uint64_t first_row, std::span<const std::uint32_t> vectors) override;
  std::optional<std::span<const std::byte>> put(std::uint64_t row,
                                                std::span<const float> values) override;
  std::span<const std::byte> put_nan(std::uint64_t row) override;
  std::vector<std::byte> get(std::uint64_t row) override;
  void flush() override;
  void sync() override;
  ArrayClaim claim(std::uint64_t rows) override;
  void forget(std::uint64_t rows) override;
  void cut() override;
  void finish(std::uint64_t rows) override;

 private:
  struct Extent {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
  };
  std::uint64_t first_vector(std::uint64_t row);  // also of the row behind the last
  Extent extent(std::uint64_t row);
  std::span<std::byte> piece(const Extent& place);
  void write_offset(std::uint64_t row, std::uint64_t first);

  OutputSpec output_;
  GatheredFile data_;
  GatheredFile offsets_;
  std::uint64_t rows_;     // placed
  std::uint64_t written_;  // vectors: behind the last that was put
  // Where the rows of the window in hand begin, and the one behind it.
  std::uint64_t window_ = 0;
  std::vector<std::uint64_t> firsts_;
};

}  // namespace longhaul::store
