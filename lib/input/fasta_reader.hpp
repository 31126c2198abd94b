// FASTA: a header line that begins with '>', then residues over any number of lines. The id is the
// header's first word; what follows it can be kept as `description`. Blanks at the ends of residue
// lines, empty lines and lines of ';' are no residues; nothing else is changed.
// One thread at a time. A record without residues or over the length cap is a defect; a source
// whose first text is no header is Error(kBadData).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "input/columns.hpp"
#include "input/line_scanner.hpp"
#include "input/source_reader.hpp"

namespace longhaul {

class FastaReader : public SourceReader {
 public:
  FastaReader(std::unique_ptr<ByteSource> bytes, const SourceSettings& settings);

  bool next(Record& record) override;
  SourceCursor cursor() const override;
  bool seek(const SourceCursor& cursor) override;
  std::uint64_t stored_bytes_read() const override { return lines_.stored_bytes_read(); }

 private:
  void find_header();
  void read_residues(Record& record);
  void fill_from_header(Record& record) const;

  SourceSettings settings_;
  LineScanner lines_;
  Columns columns_;
  // The header of the next record, which was read to find the end of the one before.
  bool have_header_ = false;
  bool header_too_long_ = false;
  std::string header_;  // without '>'
  SourceCursor header_at_;
};

}  // namespace longhaul
