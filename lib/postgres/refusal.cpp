#include "postgres/refusal.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace longhaul::postgres {
namespace {

// Classes of what a table, its rules and triggers, and types of its columns do not take: data,
// constraints, names and rights of statements, views with a check, what PL/pgSQL raises, what is
// not supported of such a table, and a limit on size.
constexpr std::array<std::string_view, 10> kOfTables{"0A", "21", "22", "23", "27",
                                                     "38", "42", "44", "54", "P0"};

bool is_one_of(std::string_view state, std::initializer_list<std::string_view> states) {
  return std::ranges::find(states, state) != states.end();
}

}  // namespace

Refused refusal(std::string_view state, const std::string& what) {
  if (state == "42501") {
    return {ExitCode::kUnavailable, what, "ask its owner for the permission (GRANT)", state};
  }
  if (state == "25006") {
    return {ExitCode::kUnavailable, what,
            "name a server that can be written to, or a user without default_transaction_read_only",
            state};
  }
  if (state == "53100") {
    return {ExitCode::kIo, what, "free some space there; the same command goes on", state};
  }
  if (is_one_of(state, {kCancelled, "55P03"})) {
    return {ExitCode::kUnavailable, what,
            "the same command goes on; raise statement_timeout or lock_timeout where they end it",
            state};
  }
  if (is_one_of(state, {"22021", "22P05"})) {
    return {ExitCode::kBadData, what, "push into a database whose encoding is UTF8", state};
  }
  if (std::ranges::find(kOfTables, state.substr(0, 2)) != kOfTables.end()) {
    return {ExitCode::kMismatch, what, "name another table with --table", state};
  }
  return {ExitCode::kUnavailable, what, "what was committed is there, and the same command goes on",
          state};
}

bool is_there_already(std::string_view state) {
  return is_one_of(state, {"42P07", "42710", "23505"});
}

bool is_lost(std::string_view state) {
  return state.starts_with("08") || state.starts_with("57P");
}

}  // namespace longhaul::postgres
