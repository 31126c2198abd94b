// What the command line's inputs stand for: which files, in which order and format.
// Reads folders and lists; opens no input. One thread. Error(kUsage) where a format cannot be
// told, Error(kIo) for what is not there, Error(kBadData) for empty files and folders.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "input/byte_source.hpp"
#include "input/record_reader.hpp"
#include "input/source_identity.hpp"

namespace longhaul::input {

struct NamedFormat {
  InputFormat format = InputFormat::kCsv;
  Compression compression = Compression::kNone;
};

// By the name's ending: .csv, .tsv, .jsonl, .ndjson, .fasta (.fa, .faa, .fas, .fna), .parquet
// (.pq), each but the last also with .gz, .zst, .bz2, .lz4 or .xz. Nothing for other names.
std::optional<NamedFormat> format_of_name(std::string_view name);
Compression compression_of_name(std::string_view name);
std::string_view to_string(InputFormat format);

struct InputFile {
  std::string path;
  NamedFormat format;
  SourceIdentity identity;
  std::vector<std::optional<std::string>> listed;  // kept values that --files-from gives
  bool by_content = false;  // the name tells no format, so it is seen when the file is opened
};

struct InputFiles {
  std::vector<InputFile> files;  // in order
  LeftOut left_out;              // of the folders
};

// All sequence inputs of the settings. In folders hidden entries, pipes and sockets, and files
// whose names tell no format, or another than the one that is asked for, are left out.
InputFiles list_sequence_inputs(const InputSettings& settings);

// One line of a --files-from list.
struct ListedPath {
  std::string path;
  std::string id;  // of the list's `id` column; empty where there is none
  std::uint64_t line = 0;
  // One per keep column; nothing where the list has no such column.
  std::vector<std::optional<std::string>> kept;
  std::optional<Defect> defect;  // a line that names nothing: an empty path, a wrong field count
};

class DelimitedReader;
class LineScanner;

// Reads a --files-from list one path at a time, so that it may be of any length: text with one
// path per line (empty lines are passed over), or, by its name, CSV or TSV with a `path` column.
// Relative paths are relative to the current folder. A line that is broken has a defect.
// Each opens the list anew: of a pipe there must be one alone. `stop` ends a wait on it.
class PathList {
 public:
  PathList(const std::string& path, const std::vector<std::string>& keep_columns,
           const std::optional<std::string>& id_column = std::nullopt,
           const std::function<bool()>& stop = {});
  ~PathList();
  std::optional<ListedPath> next();
  // What was passed over so far: blank rows.
  LeftOut left_out() const;

 private:
  std::vector<std::string> keep_columns_;
  std::vector<bool> in_list_;
  std::unique_ptr<DelimitedReader> table_;
  std::unique_ptr<LineScanner> lines_;
};

}  // namespace longhaul::input
