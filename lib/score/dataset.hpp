// The labelled vectors of an output directory, and by name what was left out of them.
// Values; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "score/labels.hpp"
#include "score/logistic.hpp"
#include "score/run_directory.hpp"

namespace longhaul::score {

// Rows without a vector of their own, and rows without a label, as row numbers.
struct UnusedRows {
  std::vector<std::size_t> rejected;
  std::vector<std::size_t> duplicates;  // images: the first of them stands for all
  std::vector<std::size_t> unlabelled;

  std::size_t total() const { return rejected.size() + duplicates.size() + unlabelled.size(); }
};
// {"rejected": ["id", ...], ...}: every name.
nlohmann::json to_json(const UnusedRows& left_out, const RunDirectory& run);
// "2 rejected records (a, b), ...": the first names of each kind. Empty when nothing was left out.
std::string describe(const UnusedRows& left_out, const RunDirectory& run);

// The rows whose record has a vector of its own.
std::vector<std::size_t> rows_with_vectors(const RunDirectory& run, UnusedRows& left_out);

enum class Unlabelled { kRefuse, kLeaveOut };

struct Dataset {
  std::vector<std::size_t> rows;  // of the output directory, ascending
  std::vector<std::uint8_t> labels;
  std::vector<double> vectors;  // rows x dimension
  std::size_t dimension = 0;
  UnusedRows left_out;
  std::string labels_from;

  MatrixView view() const { return {vectors, rows.size(), dimension}; }
};

// Throws Error(kBadData) naming the first rows without a label unless they are to be left out, and
// when no row is left.
Dataset load_dataset(RunDirectory& run, const Labels& labels, Unlabelled unlabelled);

}  // namespace longhaul::score
