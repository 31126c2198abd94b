// `longhaul export`: the rows of a finished output, in order, into a table of another format.
// Memory is that of a row and what the format holds. One thread. Nothing of the table has its name
// before all of it is on the disk. Errors: those of store/checked_rows.hpp, of new_path.hpp and of
// the format; kInterrupted when it was asked to stop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "export/dataset_names.hpp"
#include "export/table_sink.hpp"
#include "store/output_reader.hpp"

namespace longhaul::export_room {

struct ExportRequest {
  std::string file;    // or folder, with rows_per_file
  std::string ending;  // of the files in a folder: ".parquet"
  bool all = false;    // rows without status ok too, those without a vector as missing
  std::optional<std::uint64_t> rows_per_file;
  std::string array;             // the one whose vectors are exported; empty: all
  std::optional<NameKey> names;  // of formats that give each row a name
};

struct ExportContext {
  Files& files;
  MakeSink make_sink;
  std::string lock_holder;
  std::function<bool()> stop;
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;  // called for every row
  std::function<void(const std::string& words)> warn;  // before anything is written
};

struct ExportSummary {
  std::uint64_t rows = 0;        // written
  std::uint64_t without = 0;     // of these without a vector
  std::uint64_t rejected = 0;    // left out
  std::uint64_t duplicates = 0;  // left out
  std::uint64_t files = 0;
  std::vector<std::string> arrays_left_out;  // "tokens", "vector.early"
};

// `output` is from store::open_finished().
ExportSummary export_output(const store::OutputReader& output, const ExportRequest& request,
                            const ExportContext& context);

}  // namespace longhaul::export_room
