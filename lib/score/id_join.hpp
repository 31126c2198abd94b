// The records of two outputs joined by what they are: by id and content, and by id alone where that
// is clear. Values and pure functions; any thread. Two ids or contents are told apart by 64-bit
// hashes: among ten million of each, a false match has a chance of 3 in a million.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "domain/outcome.hpp"

namespace longhaul::score {

// A record as the join needs it.
struct RecordKey {
  std::uint64_t id = 0;       // hash
  std::uint64_t content = 0;  // hash; 0: not known
  std::uint64_t row : 60 = 0;
  std::uint64_t status : 4 = 0;

  RecordKey(std::uint64_t id_hash, std::uint64_t content_hash, std::uint64_t row_number, Status was)
      : id(id_hash),
        content(content_hash),
        row(row_number & ((std::uint64_t{1} << 60) - 1)),
        status(static_cast<std::uint64_t>(was) & 15U) {}
  Status what_became() const { return static_cast<Status>(status); }
};

// What the join tells. Each record of A and of B is told once, as one of these.
struct JoinTellers {
  std::function<void(const RecordKey& a, const RecordKey& b)> same;
  // The id is theirs alone in both, the content differs.
  std::function<void(const RecordKey& a, const RecordKey& b)> other_content;
  // `ambiguous`: the other output has this id too, and one of the two has it several times.
  std::function<void(const RecordKey& a, bool ambiguous)> only_a;
  std::function<void(const RecordKey& b, bool ambiguous)> only_b;
};

// Of records with equal id and content the first of A is the first of B, and so on: such records
// have one vector. Sorts both lists.
void join_records(std::vector<RecordKey>& a, std::vector<RecordKey>& b, const JoinTellers& tell);

}  // namespace longhaul::score
