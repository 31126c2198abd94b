// Reads one record after another from the inputs, in order, in memory that does not depend on how
// many there are. A bad record is a Record with a defect; next() throws Error (kBadData, kIo) only
// when the input cannot be read as its format at all.
// One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "domain/input_hash.hpp"
#include "domain/left_out.hpp"
#include "domain/record.hpp"
#include "input/byte_source.hpp"
#include "input/source_identity.hpp"

namespace longhaul::input {

// Where the next record begins. `cursor` is the reader's own business ("source=0 byte=4096
// line=12") and is only given back to a reader of the same inputs and settings.
struct InputPosition {
  std::uint64_t position = 0;  // Record::position of that record
  std::uint64_t row = 0;       // and its Record::row
  std::string cursor;
  // Of the whole input, what lies before that place: a reader that goes there counts on from here,
  // so that nothing is lost or counted twice however often a run is stopped.
  LeftOut left_out = {};
  // Of all records before that place, selected or not. Only a DigestedReader keeps one.
  InputHash digest = {};
  InputHash selected = {};  // the same of those that were selected alone
};

// How far reading is, for progress: bytes as stored (compressed bytes for a compressed input).
struct InputProgress {
  std::uint64_t bytes_read = 0;
  std::optional<std::uint64_t> bytes_total;
  std::optional<std::uint64_t> records_total;  // where the format knows it (Parquet)
};

class RecordReader {
 public:
  virtual ~RecordReader() = default;

  virtual std::optional<Record> next() = 0;
  virtual const std::vector<std::string>& kept_columns() const = 0;
  virtual InputPosition position() const = 0;
  // Goes straight to a position that position() gave before. False, with nothing moved, when this
  // input cannot be entered in the middle (streams, compressed files).
  virtual bool seek(const InputPosition& position) = 0;
  // Where the source file that is being read begins: a place that can be gone to though the file is
  // compressed. Nothing where there is no such file, or it cannot be told.
  virtual std::optional<InputPosition> source_begin() const { return std::nullopt; }
  // What was passed over before position(); of the whole input once next() has given nothing.
  LeftOut left_out() const { return position().left_out; }
  virtual InputProgress progress() const = 0;
  // The source files, in order. Empty for image folders, whose files are too many to list.
  virtual std::vector<SourceIdentity> sources() const = 0;
  // False where these may be as they were and records changed all the same: folders, lists of
  // images.
  virtual bool sources_tell_all() const { return true; }
  // InputProgress::records_total is not asked for: an input that is looked through for it need not
  // be.
  virtual void leave_uncounted() {}
};

enum class InputFormat { kFasta, kCsv, kTsv, kJsonLines, kParquet, kImages };

// Everything that decides how inputs are read. Names follow the flags.
struct InputSettings {
  std::vector<std::string> inputs;        // files, folders, "-"
  std::optional<std::string> files_from;  // a list of inputs or of image paths
  std::optional<InputFormat> format;      // else from each name
  std::optional<std::string> sequence_column;
  std::optional<std::string> id_column;
  std::vector<std::string> keep_columns;
  std::uint64_t skip_lines = 0;
  std::optional<char> delimiter;  // of csv and tsv; else recognised by each header line
  bool allow_nucleotides = false;
  bool images = false;  // the model's card asks for images
  std::uint64_t max_line_bytes = 64ULL << 20;
  std::size_t block_bytes = 256ULL << 10;  // how much is read at a time
  std::function<bool()> stop = {};         // true ends a wait on a stream: Error(kInterrupted)
  Log* log = nullptr;                      // told what was recognised and passed over
};

class SourceReader;
struct SourceSettings;

// What another room adds to reading (arrow/arrow_input.hpp). An empty function means that this
// build cannot, and such an input is Error(kUnavailable).
struct InputBackends {
  // Bytes as they were before compression; owns what it reads from. `name` is for messages.
  std::function<std::unique_ptr<ByteSource>(std::unique_ptr<ByteSource> stored,
                                            Compression compression, const std::string& name)>
      decompress;
  std::function<std::unique_ptr<SourceReader>(const SourceSettings& settings)> open_parquet;
};

// A reader over all inputs: plain inputs in their order, a folder's files depth first with its
// entries in bytewise order, then what --files-from lists.
// Up to 1,000 records are read ahead, so most of what is wrong with an input is said here. Throws
// Error: kUsage for a flag that names a column which is not there, for columns and formats that
// cannot be told; kBadData for input that is not its format, lacks a sequence column, holds no
// record, or looks like nucleotides; kIo for what cannot be opened or read; kUnavailable for what
// this build cannot read.
std::unique_ptr<RecordReader> open_input(const InputSettings& settings,
                                         const InputBackends& backends = {});

}  // namespace longhaul::input
