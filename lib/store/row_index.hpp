// Where rows of older outputs are found: by the hash of a record's content, and by its id. 32 bytes
// a row, whatever it holds, and no more while it is made.
// Filled, sealed, then asked; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/hash.hpp"

namespace longhaul::store {

class RowIndex {
 public:
  // A row of one of the outputs, by the order in which they are asked.
  struct Place {
    std::uint32_t output = 0;
    std::uint64_t row = 0;
    friend bool operator==(const Place&, const Place&) = default;
  };
  static constexpr std::uint32_t kMostOutputs = 256;
  static constexpr std::uint64_t kMostRows = std::uint64_t{1} << 40;  // of an output

  // Of so many rows at most: memory for them is taken now.
  explicit RowIndex(std::uint64_t rows) { entries_.reserve(rows); }

  void add(const Hash128& content, std::string_view id, const Place& place);
  // Nothing is added after it, and nothing asked before it.
  void seal();

  // However often a content or an id is repeated, a question has so many answers at most.
  static constexpr std::size_t kMostAnswers = 16;

  // Rows of this content: those of an earlier output first, then those of an earlier row.
  std::vector<Place> of_content(const Hash128& content) const;
  struct Known {
    Hash128 content;
    Place place;
  };
  // Rows of this id. An id is told from another by 39 bits at least of its hash, and where
  // there are fewer than 16 million rows by 55.
  std::vector<Known> of_id(std::string_view id) const;
  bool has_id(std::string_view id) const;

  // Remembers that a record of this id is still there.
  void keep(std::string_view id);
  // Different ids that keep() was not told of.
  std::uint64_t left() const;

  std::uint64_t rows() const { return entries_.size(); }
  std::uint64_t memory_bytes() const { return entries_.capacity() * sizeof(Entry); }

 private:
  // Sorted by content. `id_key` is of another order: sorted by itself, it is what ids are looked up
  // in, and says in its low bits which entry is the id's.
  struct Entry {
    Hash128 content;
    std::uint64_t place = 0;   // row, output, 15 bits of the id's hash, kept
    std::uint64_t id_key = 0;  // until seal(): the id's hash
  };
  class IdKeys;

  std::size_t first_of_content(const Hash128& content) const;
  // Entries of this id, until `visit` gives false.
  template <typename Visit>
  void visit_id(std::string_view id, Visit visit) const;

  std::vector<Entry> entries_;
  unsigned index_bits_ = 0;  // of an id_key that are an entry's index
};

}  // namespace longhaul::store
