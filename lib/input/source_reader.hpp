// The records of one source: what each format implements. open_input strings sources together.
// One thread at a time. A bad record is a Record with a defect; a source that cannot be read as
// its format is Error(kBadData) with line or byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain/record.hpp"
#include "input/byte_source.hpp"
#include "input/input_notes.hpp"
#include "input/record_reader.hpp"

namespace longhaul::input {

// Where the next record begins: a byte and its line, or a Parquet row (and line 1). Line 0 is the
// beginning, whatever that takes. Some records can only be understood from a place before them:
// `skip` counts the records between that place and them.
struct SourceCursor {
  std::uint64_t offset = 0;
  std::uint64_t line = 0;
  std::uint64_t skip = 0;
};

// What a format needs to know to read one source.
struct SourceSettings {
  std::string path;
  std::string name;  // for messages and Record::source: as the user named it
  InputFormat format = InputFormat::kCsv;
  std::optional<std::string> sequence_column;
  std::optional<std::string> id_column;
  bool list_of_paths = false;  // a --files-from list: no column but `id` holds ids
  std::vector<std::string> keep_columns;
  // Values of kept columns that come with the source (from --files-from); one per keep column, or
  // none at all. The source's own column of that name goes first.
  std::vector<std::optional<std::string>> listed;
  std::uint64_t skip_lines = 0;
  std::optional<char> delimiter;  // of csv and tsv; else recognised by the header line
  InputNotes* notes = nullptr;    // none: nobody listens
  std::uint64_t max_line_bytes = 64ULL << 20;
  std::size_t block_bytes = 256ULL << 10;
};

class SourceReader {
 public:
  virtual ~SourceReader() = default;
  // Fills all of a fresh record but its position and source; an id that is not there stays empty.
  // False at the end.
  virtual bool next(Record& record) = 0;
  virtual SourceCursor cursor() const = 0;
  // False, with nothing moved, when the source cannot be entered there. left_out() counts from
  // there.
  virtual bool seek(const SourceCursor& cursor) = 0;
  // The same to a place that lies ahead, where that is cheaper than opening the source anew and
  // going there; false, with nothing moved, where it is not.
  virtual bool go_on(const SourceCursor&) { return false; }
  virtual std::uint64_t stored_bytes_read() const = 0;
  virtual std::optional<std::uint64_t> records_total() const { return std::nullopt; }
  // What was passed over before cursor().
  virtual LeftOut left_out() const { return {}; }
};

std::unique_ptr<SourceReader> open_delimited(std::unique_ptr<ByteSource> bytes,
                                             const SourceSettings& settings);  // csv and tsv
std::unique_ptr<SourceReader> open_json_lines(std::unique_ptr<ByteSource> bytes,
                                              const SourceSettings& settings);
std::unique_ptr<SourceReader> open_fasta(std::unique_ptr<ByteSource> bytes,
                                         const SourceSettings& settings);

}  // namespace longhaul::input
