// FASTA: a header line that begins with '>', then residues over any number of lines. The id is the
// header's first word; what follows it can be kept as `description`. White space and numbers
// between residues, empty lines and lines of ';' are no residues; nothing else is changed. A '>'
// behind residues, or within a line of ';', is a header that was glued to them, as when a file
// without a last line break is joined to another: both records are defects. One thread at a time. A
// record without residues or over the length cap is a defect; a source whose first text is no
// header is Error(kBadData).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "input/columns.hpp"
#include "input/line_scanner.hpp"
#include "input/source_reader.hpp"

namespace longhaul::input {

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
  bool take_header(const Line& line);
  bool take_comment(const Line& line, Record& record);
  void take_glued_header(const Line& line, std::size_t at, Record& before);
  std::size_t add_residues(const Line& line, std::string& residues) const;
  void fill_from_header(Record& record) const;

  SourceSettings settings_;
  LineScanner lines_;
  Columns columns_;
  // The header of the next record, which was read to find the end of the one before.
  bool have_header_ = false;
  bool header_too_long_ = false;
  enum class Glued { kNot, kToResidues, kToComment };
  Glued header_glued_ = Glued::kNot;
  std::string header_;  // without '>'
  SourceCursor header_at_;
  std::string scratch_;  // residues of a record that is too long already
};

}  // namespace longhaul::input
