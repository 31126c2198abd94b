// Two outputs compared: their records, and every array that both have, in memory that grows by a
// bit a record where they hold the same ones (joined_rows.hpp). Each output is read twice, only
// once where all is the same. One thread. Rows that do not match their checksum are counted and
// compared with nothing. Errors: kBadData for outputs that cannot be compared, and those of
// OutputReader.
#pragma once

#include <string>
#include <vector>

#include "score/array_diff.hpp"
#include "score/joined_rows.hpp"
#include "store/output_reader.hpp"

namespace longhaul::score {

struct OutputDiff {
  JoinedRows rows;
  std::vector<ArrayDiff> arrays = {};
  std::vector<std::string> only_a = {};  // arrays, by name
  std::vector<std::string> only_b = {};
  std::vector<std::string> other_shape = {};  // the same name, another kind or dimension
  Named damaged_a = {};                       // rows that do not match their checksum
  Named damaged_b = {};

  bool damaged() const { return damaged_a.count + damaged_b.count > 0; }
  // Within the tolerance: every record in both, with the same outcome, and no vector apart.
  bool equal() const;
};

OutputDiff compare_outputs(const store::OutputReader& a, const store::OutputReader& b,
                           const DiffSettings& settings);

}  // namespace longhaul::score
