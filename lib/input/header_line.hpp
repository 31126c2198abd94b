// What a table's header line tells beyond its names: whether a later row is that line again, as
// where files are joined, and whether it is a record itself, of a table that has no header.
// Values; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "domain/outcome.hpp"
#include "input/source_reader.hpp"

namespace longhaul::input {

class RepeatedHeader {
 public:
  RepeatedHeader() = default;
  RepeatedHeader(const std::vector<std::string>& header, std::size_t sequence, bool list_of_paths);

  // Why the row is no record of its own; nothing where it may be one. Fast: nearly every sequence
  // is longer than any column's name.
  std::optional<Defect> judge(const std::vector<std::string_view>& fields) const;

 private:
  std::optional<Defect> glued(std::string_view cell) const;

  std::set<std::string, std::less<>> names_;  // in lower case
  std::size_t longest_ = 0;
  std::size_t sequence_ = 0;
  std::string only_;  // the name, where there is one column
  bool paths_ = false;
};

// Error(kBadData) where no column holds sequences because the header is none: a record, or a line
// that a '#' made a comment. A warning where a flag names a column by what looks like residues.
// `comment` is the last line of '#' before it, and its number.
struct CommentLine {
  std::string text;
  std::uint64_t number = 0;
};
void refuse_missing_header(const std::vector<std::string>& header, std::uint64_t line,
                           char delimiter, const CommentLine& comment,
                           const SourceSettings& settings);

}  // namespace longhaul::input
