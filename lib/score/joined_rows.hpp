// Which row of one output is which row of another: by their place where both hold the same records
// in the same order (one may end before the other), else by id and content. One thread.
// Memory: by place a bit a row; by id 24 bytes a record of both outputs, and 16 a pair.
// Errors are those of OutputReader.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "domain/outcome.hpp"
#include "store/output_reader.hpp"

namespace longhaul::score {

// Records that are counted, the first of them by name.
struct Named {
  struct Example {
    std::uint64_t row = 0;  // of the output that has it; where both do, of the first
    std::string id;
  };
  std::uint64_t count = 0;
  std::vector<Example> first;

  void add(std::uint64_t row, std::string id = "");
};

enum class JoinedBy { kRow, kId };

class JoinedRows {
 public:
  JoinedRows(const store::OutputReader& a, const store::OutputReader& b);

  JoinedBy joined_by() const { return by_; }
  // The same record in both, whatever became of it.
  std::uint64_t records() const { return records_; }
  const Named& only_a() const { return only_a_; }
  const Named& only_b() const { return only_b_; }
  // The same id with other content: not compared.
  const Named& other_content() const { return other_content_; }
  // Records of only_a() and only_b() whose id the other output has too: it is not theirs alone, and
  // their content does not say which one they are.
  const Named& repeated_a() const { return repeated_a_; }
  const Named& repeated_b() const { return repeated_b_; }
  // What became of a record in A and in B, where that differs.
  const std::map<std::pair<Status, Status>, Named>& status_changes() const {
    return status_changes_;
  }

  // The pairs that have a vector in both, in the order of A's rows.
  struct Pair {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
  };
  std::uint64_t places() const { return usable_.size(); }
  bool usable(std::uint64_t place) const { return usable_[place]; }
  Pair pair(std::uint64_t place) const {
    return by_ == JoinedBy::kRow ? Pair{place, place} : pairs_[place];
  }
  void leave_out(std::uint64_t place) { usable_[place] = false; }

 private:
  JoinedRows() = default;
  bool join_by_row(const store::OutputReader& a, const store::OutputReader& b);
  void join_by_id(const store::OutputReader& a, const store::OutputReader& b);
  void name_rows(const store::OutputReader& a, const store::OutputReader& b);

  JoinedBy by_ = JoinedBy::kRow;
  std::uint64_t records_ = 0;
  Named only_a_, only_b_, other_content_, repeated_a_, repeated_b_;
  std::map<std::pair<Status, Status>, Named> status_changes_;
  std::vector<bool> usable_;
  std::vector<Pair> pairs_;
};

// Duplicates have no vector there, rather than their original's: --skip-duplicates dhash.
bool has_empty_duplicates(const store::OutputReader& output);

// The ids of these rows of an output (ascending, each once).
std::map<std::uint64_t, std::string> ids_of(const store::OutputReader& output,
                                            const std::vector<std::uint64_t>& rows);

}  // namespace longhaul::score
