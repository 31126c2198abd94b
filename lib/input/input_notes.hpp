// What a user should know of an input beside its records: what was recognised, passed over or may
// be meant otherwise. Each kind is said once a run, however often a file is opened.
// One thread at a time.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/log.hpp"

namespace longhaul::input {

class InputNotes {
 public:
  explicit InputNotes(Log* log = nullptr) : log_(log) {}
  // `kind` is never shown; the first message of a kind is.
  void info(const std::string& kind, const std::string& message);
  void warning(const std::string& kind, const std::string& message);

 private:
  Log* log_;
  std::set<std::string> said_;
};

// What pandas writes for a missing value, and reads as one: such a cell is no peptide.
bool is_missing_cell(std::string_view cell);
// Warns where a sequence is a word that often stands for a missing value and is a peptide all the
// same: "NA". `notes` may be nothing; `place` is "x.csv, line 3".
void note_odd_word(InputNotes* notes, std::string_view sequence, const std::string& place,
                   const std::string& missing = "leave the cell empty");
// Whether note_odd_word() would warn; cheap, for every record.
bool is_odd_word(std::string_view sequence);

}  // namespace longhaul::input
