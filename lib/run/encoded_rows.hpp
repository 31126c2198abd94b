// The numbers of a batch's rows, each where the part it was computed in has them: nothing is
// copied. A value, moved between threads.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "encode/batch.hpp"

namespace longhaul::run {

class EncodedRows {
 public:
  explicit EncodedRows(std::uint32_t rows = 0) : places_(rows) {}

  // The rows of a part are rows `first` on of the batch. What these had before counts no more.
  void put(std::uint32_t first, encode::EncodedBatch part) {
    const std::uint32_t rows = part.blocks.front().rows;
    for (std::uint32_t row = 0; row < rows; ++row) {
      places_[first + row] = {static_cast<std::uint32_t>(parts_.size()), row};
    }
    parts_.push_back(std::move(part));
  }

  // Row `from` becomes row `to`, which is none behind it.
  void move(std::uint32_t from, std::uint32_t to) { places_[to] = places_[from]; }
  // The rows from `count` on are none; what no row is in is freed.
  void shrink(std::uint32_t count) {
    places_.resize(count);
    std::vector<bool> used(parts_.size());
    for (const Place& place : places_) {
      if (place.part != kNowhere) {
        used[place.part] = true;
      }
    }
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (!used[i]) {
        parts_[i].blocks = {};
      }
    }
  }
  // The part that a row was put in, and which row it is there.
  const encode::EncodedBatch& part_of(std::uint32_t row) const { return parts_[places_[row].part]; }
  std::uint32_t row_in_part(std::uint32_t row) const { return places_[row].row; }

  std::uint32_t count() const { return static_cast<std::uint32_t>(places_.size()); }

  // A span for each output; none of a row that was never put. Valid as long as the object is and
  // `numbers` is not filled again.
  std::span<const std::span<const float>> row(std::uint32_t row,
                                              std::vector<std::span<const float>>& numbers) const {
    numbers.clear();
    if (const Place& place = places_[row]; place.part != kNowhere) {
      for (const encode::EmbeddingBlock& block : parts_[place.part].blocks) {
        numbers.push_back(block.row(place.row));
      }
    }
    return numbers;
  }

 private:
  static constexpr std::uint32_t kNowhere = UINT32_MAX;
  struct Place {
    std::uint32_t part = kNowhere;
    std::uint32_t row = 0;
  };

  std::vector<encode::EncodedBatch> parts_;
  std::vector<Place> places_;  // by row of the batch
};

}  // namespace longhaul::run
