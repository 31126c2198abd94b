#include "input/header_line.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/columns.hpp"
#include "input/delimiter.hpp"
#include "input/input_list.hpp"

namespace longhaul::input {
namespace {

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

// Letters of amino acids alone. Short words of lower case are names.
bool looks_like_residues(std::string_view cell) {
  constexpr std::size_t kShortest = 4;
  constexpr std::size_t kShortestLower = 20;
  constexpr std::string_view kResidues = "ACDEFGHIKLMNPQRSTVWYX*";
  const bool lower = std::any_of(cell.begin(), cell.end(), is_lower);
  return cell.size() >= (lower ? kShortestLower : kShortest) &&
         std::all_of(cell.begin(), cell.end(), [&](char c) {
           return kResidues.find(is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c) !=
                  std::string_view::npos;
         });
}

std::string reading_command(const std::string& name) {
  if (name == "-") {
    return "cat";
  }
  const char* program = "cat";
  switch (compression_of_name(name)) {
    case Compression::kGzip:
      program = "gzip -dc";
      break;
    case Compression::kZstd:
      program = "zstd -dc";
      break;
    case Compression::kBzip2:
      program = "bzip2 -dc";
      break;
    case Compression::kLz4:
      program = "lz4 -dc";
      break;
    case Compression::kXz:
      program = "xz -dc";
      break;
    case Compression::kNone:
      break;
  }
  return std::string(program) + " " + shell_word(printable(name, 400));
}

// Names for the cells of a record.
std::string header_for(const std::vector<std::string>& record, std::size_t sequence,
                       const SourceSettings& settings, const std::string& delimiter) {
  std::vector<std::string> names;
  bool has_id = false;
  for (std::size_t i = 0; i < record.size(); ++i) {
    if (i == sequence) {
      names.push_back(settings.sequence_column.value_or("sequence"));
    } else if (!has_id) {
      names.push_back(settings.id_column.value_or("id"));
      has_id = true;
    } else {
      names.push_back("column" + std::to_string(i + 1));
    }
  }
  return join(names, delimiter);
}

}  // namespace

RepeatedHeader::RepeatedHeader(const std::vector<std::string>& header, std::size_t sequence,
                               bool list_of_paths)
    : sequence_(sequence), paths_(list_of_paths) {
  for (const std::string& name : header) {
    names_.insert(to_lower(name));
    longest_ = std::max(longest_, name.size());
  }
  if (header.size() == 1) {
    only_ = header.front();
  }
}

std::optional<Defect> RepeatedHeader::judge(const std::vector<std::string_view>& fields) const {
  const std::string_view cell = fields[sequence_];
  if (cell.size() > longest_) {
    return only_.empty() ? std::nullopt : glued(cell);
  }
  const auto is_name = [&](std::string_view field) { return names_.contains(to_lower(field)); };
  // In another case a name may be a peptide: of one column there is no more to tell it by.
  const bool again = only_.empty()
                         ? is_name(cell) && std::all_of(fields.begin(), fields.end(), is_name)
                         : cell == only_;
  if (!again) {
    return std::nullopt;
  }
  return Defect{Reason::kBadRecord,
                "it is a header line again, as where files are joined, and no record",
                "take that line out"};
}

// A file of one column whose last line had no end, and the header of the file behind it.
std::optional<Defect> RepeatedHeader::glued(std::string_view cell) const {
  if (paths_ || !cell.ends_with(only_) || !std::all_of(only_.begin(), only_.end(), is_lower)) {
    return std::nullopt;
  }
  const std::string_view before = cell.substr(0, cell.size() - only_.size());
  if (std::any_of(before.begin(), before.end(), is_lower)) {
    return std::nullopt;
  }
  return Defect{
      Reason::kBadRecord,
      "the column's name '" + only_ + "' stands behind the sequence, as where files are joined",
      "put a line break before that name, or take it out"};
}

void refuse_missing_header(const std::vector<std::string>& header, std::uint64_t line,
                           char delimiter, const CommentLine& comment,
                           const SourceSettings& settings) {
  if (settings.list_of_paths || has_sequence_column(header, settings)) {
    if (settings.notes != nullptr && settings.sequence_column &&
        looks_like_residues(*settings.sequence_column)) {
      settings.notes->warning("header",
                              printable(settings.name, 400) + ", line " + std::to_string(line) +
                                  ": is read as the header, as --sequence-column says; if "
                                  "it is a record, put a header line before it");
    }
    return;
  }
  const std::string where = printable(settings.name, 400) + ", line ";
  const bool tabs = delimiter == '\t';
  const std::string run =
      " | longhaul embed MODEL - --format " + std::string(tabs ? "tsv" : "csv") + " -o OUT";
  const std::string_view text = comment.text;
  const std::size_t name = text.find_first_not_of("# ");
  if (text.starts_with('#') && name != std::string_view::npos &&
      delimiter_of_table(text.substr(name), settings)) {
    throw Error(ExitCode::kBadData,
                where + std::to_string(comment.number) + ": '" + printable(text, 60) +
                    "' would be its header, but a line of '#' is a comment, and line " +
                    std::to_string(line) + " is no header",
                "take the '#' away: " + reading_command(settings.name) + " | sed '" +
                    std::to_string(comment.number) + "s/^[# ]*//'" + run);
  }
  const auto residues = std::find_if(header.begin(), header.end(), looks_like_residues);
  if (residues == header.end()) {
    return;
  }
  const auto sequence = static_cast<std::size_t>(residues - header.begin());
  const std::string shown =
      header_for(header, sequence, settings, std::string(1, tabs ? ' ' : delimiter));
  const std::string words =
      tabs ? "printf '" + header_for(header, sequence, settings, "\\t") + "\\n'"
           : "echo " + shell_word(shown);
  throw Error(ExitCode::kBadData,
              where + std::to_string(line) + ": looks like a record ('" + printable(*residues, 40) +
                  "'), and a table begins with a header line, which names its columns",
              settings.skip_lines > 0 ? "put the line " + shown + " before it"
                                      : "put one before it: (" + words + "; " +
                                            reading_command(settings.name) + ")" + run);
}

}  // namespace longhaul::input
