#include "input/columns.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::input {
namespace {

constexpr std::string_view kSequenceNames[] = {"sequence", "seq", "vh_sequence"};
// AIRR's tables have nucleotides in `sequence`, and proteins in these.
constexpr std::string_view kProteinNames[] = {"sequence_aa", "sequence_vdj_aa",
                                              "sequence_alignment_aa"};
// `id`, AIRR's and UniProt's names, in the order in which they are taken.
constexpr std::string_view kIdNames[] = {"id", "sequence_id", "entry", "accession"};

// Whether a column may hold ids though its name is none of those.
bool looks_like_ids(const std::string& name) {
  const std::string lower = to_lower(name);
  for (const std::string_view known :
       {"name", "identifier", "header", "accession_number", "acc", "uniprot", "key", "index",
        "entry name", "entry_name", "from", "primary accession"}) {
    if (lower == known) {
      return true;
    }
  }
  return lower.ends_with("_id") || lower.ends_with(" id") || lower.ends_with("_name") ||
         lower.ends_with("accession") || lower.starts_with("id_");
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMostNames = 50;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostNames); ++i) {
    text += (i == 0 ? "'" : ", '") + printable(names[i]) + "'";
  }
  if (names.size() > kMostNames) {
    text += " and " + std::to_string(names.size() - kMostNames) + " more";
  }
  return names.empty() ? "none" : text;
}

class Chooser {
 public:
  Chooser(const std::vector<std::string>& names, const SourceSettings& settings)
      : names_(names), settings_(settings), where_(printable(settings.name, 400)) {}

  Columns choose() const {
    Columns columns;
    columns.sequence = settings_.sequence_column
                           ? named(*settings_.sequence_column, "--sequence-column")
                           : guessed_sequence();
    columns.id = settings_.id_column ? std::optional(named(*settings_.id_column, "--id-column"))
                                     : guessed_id(columns.sequence);
    for (std::size_t i = 0; i < settings_.keep_columns.size(); ++i) {
      const bool comes_with_source = i < settings_.listed.size() && settings_.listed[i];
      const auto found = find(settings_.keep_columns[i]);
      columns.kept.push_back(
          found || comes_with_source ? found : named(settings_.keep_columns[i], "--keep-column"));
    }
    return columns;
  }

  bool has_sequence() const {
    const auto there = [&](std::string_view name) {
      return std::any_of(names_.begin(), names_.end(), [&](const std::string& column) {
        return to_lower(column) == to_lower(name);
      });
    };
    if (settings_.sequence_column) {
      return there(*settings_.sequence_column);
    }
    return std::any_of(std::begin(kSequenceNames), std::end(kSequenceNames), there) ||
           std::any_of(std::begin(kProteinNames), std::end(kProteinNames), there);
  }

 private:
  // The column of exactly this name, else the one whose name differs in case alone.
  std::optional<std::size_t> find(std::string_view name) const {
    const std::string lower = to_lower(name);
    std::vector<std::size_t> exact;
    std::vector<std::size_t> alike;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] == name) {
        exact.push_back(i);
      } else if (names_[i].size() == name.size() && to_lower(names_[i]) == lower) {
        alike.push_back(i);
      }
    }
    const std::vector<std::size_t>& found = exact.empty() ? alike : exact;
    if (found.size() > 1) {
      const bool same = names_[found[0]] == names_[found[1]];
      throw Error(ExitCode::kUsage,
                  where_ + " has more than one column named '" + printable(name) + "'" +
                      (same ? "" : ", in other cases: " + listed(names_at(found))),
                  same ? "rename all but one of them" : "name one of them as it is written");
    }
    return found.empty() ? std::nullopt : std::optional(found.front());
  }

  std::vector<std::string> names_at(const std::vector<std::size_t>& columns) const {
    std::vector<std::string> names;
    for (const std::size_t column : columns) {
      names.push_back(names_[column]);
    }
    return names;
  }

  std::size_t named(const std::string& name, const std::string& flag) const {
    const auto found = find(name);
    if (!found && settings_.list_of_paths && flag == "--sequence-column") {
      throw Error(
          ExitCode::kUsage,
          "the list " + where_ + " has no column 'path'; its columns are: " + listed(names_),
          "name the column of paths 'path' in its first line; a list without a header, one "
          "path a line, is a text file such as list.txt");
    }
    if (!found) {
      throw Error(ExitCode::kUsage, where_ + " has no column '" + printable(name) + "'",
                  "give " + flag + " one of its columns: " + listed(names_));
    }
    return *found;
  }

  std::vector<std::size_t> columns_named(const auto& known) const {
    std::vector<std::size_t> columns;
    for (const std::string_view name : known) {
      if (const auto column = find(name)) {
        columns.push_back(*column);
      }
    }
    return columns;
  }

  std::size_t guessed_sequence() const {
    std::vector<std::size_t> candidates = columns_named(kSequenceNames);
    const std::vector<std::size_t> proteins = columns_named(kProteinNames);
    if (find("sequence")) {
      candidates.insert(candidates.end(), proteins.begin(), proteins.end());
    }
    if (candidates.size() > 1) {
      throw Error(ExitCode::kUsage,
                  where_ + " has more than one column that may hold the sequences: " +
                      listed(names_at(candidates)),
                  "say which with --sequence-column" +
                      (proteins.empty()
                           ? ""
                           : ", such as --sequence-column " + printable(names_[proteins.front()])));
    }
    if (candidates.empty()) {
      throw Error(
          ExitCode::kBadData, where_ + " has no column named 'sequence', 'seq' or 'vh_sequence'",
          (proteins.empty() ? "name it with --sequence-column"
                            : "say --sequence-column " + printable(names_[proteins.front()])) +
              "; its columns are: " + listed(names_));
    }
    return candidates.front();
  }

  std::optional<std::size_t> guessed_id(std::size_t sequence) const {
    if (settings_.list_of_paths) {
      return find("id");
    }
    std::vector<std::size_t> candidates = columns_named(kIdNames);
    std::erase(candidates, sequence);
    if (settings_.notes == nullptr) {
      return candidates.empty() ? std::nullopt : std::optional(candidates.front());
    }
    if (candidates.empty()) {
      for (const std::string& name : names_) {
        if (&name != &names_[sequence] && looks_like_ids(name)) {
          settings_.notes->warning(
              "no ids", where_ +
                            ": none of its columns is id, sequence_id, Entry or accession, so ids "
                            "are the records' numbers; --id-column '" +
                            printable(name) + "' would take that column");
          break;
        }
      }
      return std::nullopt;
    }
    if (candidates.size() > 1) {
      settings_.notes->info("ids", where_ + ": ids are those of '" +
                                       printable(names_[candidates.front()]) + "', not of '" +
                                       printable(names_[candidates[1]]) +
                                       "', which --id-column would take");
    }
    return candidates.front();
  }

  const std::vector<std::string>& names_;
  const SourceSettings& settings_;
  std::string where_;
};

}  // namespace

Columns choose_columns(const std::vector<std::string>& names, const SourceSettings& settings) {
  return Chooser(names, settings).choose();
}

bool has_sequence_column(const std::vector<std::string>& names, const SourceSettings& settings) {
  return Chooser(names, settings).has_sequence();
}

bool valid_utf8(std::string_view text) {
  // Nearly every sequence is ASCII, which eight bytes at a time can tell.
  std::uint64_t bits = 0;
  std::size_t at = 0;
  for (; at + sizeof bits <= text.size(); at += sizeof bits) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof word);
    bits |= word;
  }
  for (; at < text.size(); ++at) {
    bits |= static_cast<unsigned char>(text[at]);
  }
  return (bits & 0x8080808080808080) == 0 || is_utf8(text);
}

void check_utf8(Record& record) {
  const auto check = [&](std::string_view what, const std::string& text) {
    if (!record.defect && !valid_utf8(text)) {
      record.defect =
          Defect{Reason::kNotUtf8, std::string(what) + " is not UTF-8: " + printable(text)};
    }
  };
  check("the sequence", record.payload);
  check("the id", record.id);
  for (const std::string& value : record.kept) {
    check("a kept column", value);
  }
}

}  // namespace longhaul::input
