// One array of an output directory, and the checksums of its rows: read row by row, in blocks, of a
// run that is finished or not. Changes nothing; nothing is held but a block. One thread.
// Errors: kBadData names the file and the row, kIo.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "domain/output_spec.hpp"
#include "store/block_reader.hpp"
#include "store/npy.hpp"

namespace longhaul::store {

class ArrayReader {
 public:
  struct Place {
    std::string path;
    std::string offsets;  // of kTokens
    std::string remedy;   // for what is not as it should be
    std::uint64_t header_bytes = kNpyHeaderBytes;
    bool float64 = false;  // of files that were not written here: read, and rounded to float32
  };
  ArrayReader(Files& files, const OutputSpec& output, Place place);

  const OutputSpec& output() const { return output_; }
  const std::string& path() const { return place_.path; }
  std::string where(std::uint64_t row) const;  // "OUT/embeddings.npy row 7"

  // How many vectors the rows before it have; also of the row behind the last.
  std::uint64_t first_vector(std::uint64_t row);
  // How many vectors the row has: one, or of kTokens one for each residue.
  std::uint64_t vectors(std::uint64_t row);
  // Its numbers, one vector after another. Valid until the next call.
  std::span<const float> row(std::uint64_t row);
  // As they are stored; nothing where the file ends before. Valid until the next call.
  std::optional<std::span<const std::byte>> bytes(std::uint64_t row);

  // Throws unless the header says that there are `rows` rows of this output.
  void require_header(std::uint64_t rows);

 private:
  struct Extent {
    std::uint64_t first = 0;  // vector
    std::uint64_t count = 0;
  };
  std::optional<Extent> extent(std::uint64_t row);
  std::uint64_t stored_bytes() const;  // of one vector

  OutputSpec output_;
  Place place_;
  BlockReader data_;
  std::uint64_t data_size_;
  std::optional<BlockReader> offsets_;
  std::vector<float> values_;
};

// checksums.npy.
class ChecksumReader {
 public:
  ChecksumReader(Files& files, const std::string& path);
  std::optional<std::uint64_t> of(std::uint64_t row);  // nothing where the file ends before

 private:
  BlockReader data_;
};

}  // namespace longhaul::store
