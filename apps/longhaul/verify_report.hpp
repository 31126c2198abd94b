// What `longhaul verify` found, and how it says it: as text, as JSON, as the exit code.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "store/verify.hpp"

namespace longhaul::app {

// What is outside the directory: it may have gone, which is said and is no fault.
enum class AtHand { kMatches, kAbsent, kDiffers, kNotAsked };

std::string_view to_string(AtHand found);

struct VerifyReport {
  std::string output;         // the directory, as the user named it
  store::Verification store;  // findings of the model and of the input among them
  AtHand model = AtHand::kNotAsked;
  AtHand input = AtHand::kNotAsked;
  bool intact = true;        // as far as the directory itself tells
  bool from_stream = false;  // the input came through a pipe
  bool recompute = false;    // rows were asked to be embedded again
  bool claims_bits = false;  // the output says of itself that its bits are exact
  bool exact = false;        // recomputed rows had to be the same bits
};

// One object on one line.
void print_json(const VerifyReport& report, std::ostream& out);

// A line for each finding where there are several, then a line of counts.
void print_text(const VerifyReport& report, std::ostream& out);

// Throws kBadData with the first finding and the way out where anything was found.
void require_good(const VerifyReport& report);

}  // namespace longhaul::app
