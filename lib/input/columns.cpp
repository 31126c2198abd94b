#include "input/columns.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul {
namespace {

constexpr std::string_view kSequenceNames[] = {"sequence", "seq", "vh_sequence"};

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
                                     : find("id");
    for (std::size_t i = 0; i < settings_.keep_columns.size(); ++i) {
      const bool comes_with_source = i < settings_.listed.size() && settings_.listed[i];
      const auto found = find(settings_.keep_columns[i]);
      columns.kept.push_back(
          found || comes_with_source ? found : named(settings_.keep_columns[i], "--keep-column"));
    }
    return columns;
  }

 private:
  std::optional<std::size_t> find(std::string_view name) const {
    const auto at = std::find(names_.begin(), names_.end(), name);
    if (at == names_.end()) {
      return std::nullopt;
    }
    if (std::find(at + 1, names_.end(), name) != names_.end()) {
      throw Error(ExitCode::kUsage,
                  where_ + " has more than one column named '" + printable(name) + "'",
                  "rename all but one of them");
    }
    return static_cast<std::size_t>(at - names_.begin());
  }

  std::size_t named(const std::string& name, const std::string& flag) const {
    const auto found = find(name);
    if (!found) {
      throw Error(ExitCode::kUsage, where_ + " has no column '" + printable(name) + "'",
                  "give " + flag + " one of its columns: " + listed(names_));
    }
    return *found;
  }

  std::size_t guessed_sequence() const {
    std::vector<std::string> candidates;
    for (const std::string_view name : kSequenceNames) {
      if (find(name)) {
        candidates.emplace_back(name);
      }
    }
    if (find("sequence") && find("sequence_aa")) {
      candidates.emplace_back("sequence_aa");
    }
    if (candidates.size() > 1) {
      throw Error(
          ExitCode::kUsage,
          where_ + " has more than one column that may hold the sequences: " + listed(candidates),
          "say which with --sequence-column");
    }
    if (candidates.empty()) {
      throw Error(ExitCode::kBadData,
                  where_ + " has no column named 'sequence', 'seq' or 'vh_sequence'",
                  "name it with --sequence-column; its columns are: " + listed(names_));
    }
    return *find(candidates.front());
  }

  const std::vector<std::string>& names_;
  const SourceSettings& settings_;
  std::string where_;
};

}  // namespace

Columns choose_columns(const std::vector<std::string>& names, const SourceSettings& settings) {
  return Chooser(names, settings).choose();
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

}  // namespace longhaul
