#include "input/input_notes.hpp"

#include <algorithm>
#include <array>

namespace longhaul::input {
namespace {

constexpr std::size_t kLongestWord = 4;
constexpr std::array<std::string_view, 9> kOddWords = {"NA",   "nan",  "NaN",  "NAN", "None",
                                                       "NONE", "none", "NULL", "null"};

}  // namespace

void InputNotes::info(const std::string& kind, const std::string& message) {
  if (log_ != nullptr && said_.insert(kind).second) {
    log_->info(message);
  }
}

void InputNotes::warning(const std::string& kind, const std::string& message) {
  if (log_ != nullptr && said_.insert(kind).second) {
    log_->warning(message);
  }
}

bool is_missing_cell(std::string_view cell) {
  return cell == "nan" || cell == "NaN";
}

bool is_odd_word(std::string_view sequence) {
  return sequence.size() <= kLongestWord &&
         std::find(kOddWords.begin(), kOddWords.end(), sequence) != kOddWords.end();
}

void note_odd_word(InputNotes* notes, std::string_view sequence, const std::string& place,
                   const std::string& missing) {
  if (notes != nullptr && is_odd_word(sequence)) {
    notes->warning("odd word", place + ": '" + std::string(sequence) +
                                   "' is read as residues; where it stands for a missing value, " +
                                   missing + " (said once)");
  }
}

}  // namespace longhaul::input
