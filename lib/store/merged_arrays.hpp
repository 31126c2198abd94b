// The arrays and checksums of an output that is put together from those of shards. A row's bytes
// are copied as they are, each checked against its checksum, to a place that is known beforehand:
// shards are dealt blocks of consecutive rows, so block after block goes where it belongs.
// One thread; memory is a few rows. Errors: kIo; kBadData names the shard's file and row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "store/journal_state.hpp"
#include "store/output_reader.hpp"
#include "store/store_layout.hpp"

namespace longhaul::store {

// How rows are dealt: block b of the whole belongs to shard b mod `shards`, counted from 0.
struct Deal {
  std::uint64_t shards = 1;
  std::uint64_t block = 64;

  std::uint64_t shard(std::uint64_t position) const { return position / block % shards; }
  // Of a shard's own row in the whole, and back.
  std::uint64_t position(std::uint64_t shard, std::uint64_t row) const {
    return (row / block * shards + shard) * block + row % block;
  }
  std::uint64_t row(std::uint64_t position) const {
    return position / block / shards * block + position % block;
  }
};

// Whether the shard's arrays and checksums have the size and the headers that its rows need: throws
// Error(kBadData) that names the file.
void require_shard_arrays(Files& files, const OutputReader& shard, const std::string& remedy);

class MergedArrays {
 public:
  // Opens the files in `directory`, new ones or those of an earlier process. `remedy` is for a
  // shard that is damaged.
  MergedArrays(Files& files, std::string directory, const StoreLayout& layout, std::uint64_t rows,
               const Deal& deal, std::string remedy);

  // Where each row's residues begin: before any is copied. `shards` in order, all of them.
  void place(std::span<const OutputReader* const> shards);
  // All rows of shard `index`, from 0. Durable only after sync(). `each` hears how many are copied.
  void copy(const OutputReader& shard, std::uint64_t index,
            const std::function<void(std::uint64_t)>& each);
  // A row becomes what another one is, or has no vector.
  void copy_row(std::uint64_t from, std::uint64_t to);
  void put_nan(std::uint64_t row);
  void sync();
  // What a commit may claim after sync(): the arrays, all rows of them.
  FileClaims claims() const;
  // Gives the files their names. The directory is the caller's to sync.
  void finish();

 private:
  struct Array {
    OutputSpec output;
    std::unique_ptr<File> data;
    std::unique_ptr<File> offsets;  // of kTokens
  };
  struct Stretch {
    std::uint64_t offset = 0;  // in the file
    std::uint64_t bytes = 0;
  };
  std::string in(const std::string& name) const { return path_in(directory_, name); }
  std::unique_ptr<File> open_array(const OutputSpec& output);
  static std::uint64_t first_vector(const Array& array, std::uint64_t row);
  static Stretch stretch(const Array& array, std::uint64_t row, std::uint64_t rows);
  void place(Array& array, std::span<const OutputReader* const> shards);
  void put_checksum(std::uint64_t row, std::uint64_t sum);

  Files& files_;
  std::string directory_;
  const std::vector<OutputSpec> outputs_;
  std::uint64_t rows_;
  Deal deal_;
  std::string remedy_;
  std::vector<Array> arrays_;
  std::unique_ptr<File> checksums_;
};

}  // namespace longhaul::store
