// The label (0 or 1) of each row of an output directory, from one of three places: a column that
// was kept when embedding, the recorded input if it is still what was embedded, or another file
// joined by id. Never guessed: a label that is there and is not 0 or 1, an id that occurs twice in
// a join, or an input that changed is an Error(kBadData). Pure but for reading; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/input_hash.hpp"
#include "input/record_reader.hpp"
#include "score/run_directory.hpp"

namespace longhaul::score {

struct Labels {
  std::vector<std::optional<std::uint8_t>> of_row;  // nothing: the label is empty, or not listed
  std::string from;                                 // "column label of OUT/records.csv"
};

// Nothing when no such column was kept.
std::optional<Labels> labels_from_records(const RunDirectory& run, const std::string& column);

// `reader` reads the recorded input with the kept columns of the run and then, last, the label's;
// `embedded` is the digest of what was embedded.
Labels labels_from_input(const RunDirectory& run, input::RecordReader& reader,
                         const std::string& column, const InputHash& embedded);

struct LabelFile {
  std::string path;
  std::string id_column = "id";
  std::string label_column = "label";
};
Labels labels_from_file(const RunDirectory& run, const LabelFile& file);

}  // namespace longhaul::score
