// Rows of older outputs that a run takes where it would compute the same: of a record of the same
// content. A row is believed when its bytes are what its checksum says, looked at whenever it is
// used; one that is not is computed, and the first of them is told of.
//
// In memory is an index of 32 bytes a row; the numbers are read row by row. What asks for a row
// (the prepare thread) and what takes it (the writer's) may be two threads, each with files of its
// own. Throws Error(kBadData) for tables that are not what the run wrote, kIo.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/log.hpp"
#include "prepare/preprocessor.hpp"
#include "store/output_reader.hpp"
#include "store/row_index.hpp"
#include "store/row_sums.hpp"
#include "store/stamp_file.hpp"

namespace longhaul::run {

// What older outputs hold of a record.
struct Standing {
  std::optional<store::RowIndex::Place> row;  // that is taken; nothing: it is computed
  bool known_id = false;                      // its id has a row there, of whatever content
};

class OlderRows {
 public:
  // How an image is found: where its path, size and time are those of a row, by these; else, or
  // always, by its bytes.
  enum class Images { kByStamp, kByContent };

  // Reads the tables of all `outputs`, finished or not. `files` and `log` outlive it.
  OlderRows(Files& files, const std::vector<store::OutputReader>& outputs, Images images, Log& log);

  // For the prepare thread: gives the images among `records` that are what they were their
  // content's hash, so that they need not be read.
  void recall(std::span<prepare::Prepared> records);
  // For the prepare thread. `record` has a hash and no defect.
  Standing standing_of(const prepare::Prepared& record);

  // For the writer's thread: the numbers of a row, a span for each array, valid until the next
  // call. Throws Error(kBadData) where they are no longer what they were when they were asked for.
  std::span<const std::span<const float>> take(const store::RowIndex::Place& place);
  const std::string& name(const store::RowIndex::Place& place) const {
    return names_[place.output];
  }

  // Different ids of rows there that no line of `records` has. Once, when a run is complete.
  std::uint64_t gone(store::RecordCursor records);
  std::uint64_t damaged() const { return damaged_; }  // rows that were computed all the same
  std::uint64_t rows() const { return index_.rows(); }
  std::uint64_t recalled() const { return recalled_; }  // images that were not read

 private:
  struct Arrays {
    std::vector<store::ArrayReader> arrays;
    std::optional<store::ChecksumReader> checksums = {};  // none of an output without a row
    std::optional<store::StampReader> stamps = {};        // of images, where they are looked at
  };
  static std::vector<Arrays> open(const std::vector<store::OutputReader>& outputs);
  bool recall(prepare::Prepared& record, std::uint64_t stamp);
  bool holds(const store::RowIndex::Place& place, const prepare::Prepared& record);

  Log& log_;
  std::vector<std::string> names_;
  store::RowIndex index_;
  std::vector<Arrays> asked_;
  std::vector<Arrays> taken_;
  std::vector<std::vector<float>> values_;
  std::vector<std::span<const float>> numbers_;
  std::uint64_t damaged_ = 0;
  std::uint64_t recalled_ = 0;
};

}  // namespace longhaul::run
