// What a statement that the server refused means for a push, by its SQLSTATE. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace longhaul::postgres {

class Refused : public Error {
 public:
  Refused(ExitCode code, const std::string& what, std::string remedy, std::string_view state)
      : Error(code, what, std::move(remedy)), state_(state) {}
  const std::string& state() const { return state_; }

 private:
  std::string state_;
};

// `what` is the server's sentence. A moment, a right or a server that another try may have is
// kUnavailable, a full disk kIo, a text that the database's encoding lacks kBadData, and what the
// table, or whoever made it, does not take kMismatch.
Refused refusal(std::string_view state, const std::string& what);

// A statement that was cancelled, by us or by a limit on time.
constexpr std::string_view kCancelled = "57014";
// Somebody else made a table of that name in the same moment.
bool is_there_already(std::string_view state);
// The server goes, or the connection to it.
bool is_lost(std::string_view state);

}  // namespace longhaul::postgres
