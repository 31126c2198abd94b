#include "postgres/connection.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::postgres {
namespace {

constexpr int kLookAgainMilliseconds = 100;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr std::size_t kMessageBytes = 400;

// One line, without what libpq puts around it.
std::string in_line(const char* message) {
  std::string text = message == nullptr ? "" : message;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
    text.pop_back();
  }
  std::ranges::replace(text, '\n', ' ');
  std::ranges::replace(text, '\t', ' ');
  return printable(text, kMessageBytes);
}

std::string field(const PGresult* result, int which) {
  const char* text = PQresultErrorField(result, which);
  return text == nullptr ? "" : text;
}

std::string words_of(const PGresult* result) {
  const std::string detail = field(result, PG_DIAG_MESSAGE_DETAIL);
  return in_line(
      (field(result, PG_DIAG_MESSAGE_PRIMARY) + (detail.empty() ? "" : ": " + detail)).c_str());
}

bool is_lost(std::string_view state) {
  return state.starts_with("08") || state.starts_with("57P");
}

std::string place_of(PGconn* connection) {
  const auto text = [](const char* part) { return std::string(part == nullptr ? "" : part); };
  std::string place = "database " + printable(text(PQdb(connection))) + " at " +
                      printable(text(PQhost(connection)));
  // A socket is a folder, and its number tells nothing.
  if (text(PQhost(connection)).find('/') == std::string::npos) {
    place += ":" + text(PQport(connection));
  }
  return place;
}

}  // namespace

std::string Result::text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

Connection::Connection(const std::string& uri, unsigned connect_seconds, std::function<bool()> stop)
    : stop_(std::move(stop)) {
  char* problem = nullptr;
  PQconninfoOption* options = PQconninfoParse(uri.c_str(), &problem);
  if (options == nullptr) {
    PQfreemem(problem);  // it may repeat what the address holds
    throw Error(ExitCode::kUsage, "the address of --to is none that libpq understands",
                "write it as postgresql://USER@HOST/DATABASE");
  }
  PQconninfoFree(options);
  const std::string seconds = std::to_string(connect_seconds);
  // Of two that say the same the later counts, and the address is the later.
  std::array<const char*, 4> names{"connect_timeout", "application_name", "dbname", nullptr};
  std::array<const char*, 4> values{connect_seconds == 0 ? "" : seconds.c_str(), "longhaul",
                                    uri.c_str(), nullptr};
  connection_.reset(PQconnectdbParams(names.data(), values.data(), 1));
  if (!connection_) {
    throw std::bad_alloc();
  }
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    throw Error(ExitCode::kUnavailable,
                "no connection to PostgreSQL: " + in_line(PQerrorMessage(connection_.get())),
                "look whether it runs there and lets this user in; PGPASSWORD, ~/.pgpass or a "
                "service file may hold the password");
  }
  place_ = place_of(connection_.get());
  PQsetNoticeProcessor(
      connection_.get(), [](void*, const char*) {}, nullptr);
  if (PQsetClientEncoding(connection_.get(), "UTF8") != 0) {
    throw Error(ExitCode::kUnavailable, place_ + " does not speak UTF-8",
                "push into a database whose encoding is UTF8");
  }
}

void Connection::stopped() {
  throw Error(ExitCode::kInterrupted, "stopped while " + place_ + " was at work",
              "what was committed is there, and the same command goes on");
}

void Connection::fail(const PGresult* result) {
  const std::string state = result == nullptr ? "" : field(result, PG_DIAG_SQLSTATE);
  if (PQstatus(connection_.get()) == CONNECTION_BAD || is_lost(state)) {
    throw Error(
        ExitCode::kUnavailable,
        "the connection to " + place_ + " was lost: " + in_line(PQerrorMessage(connection_.get())),
        "what was committed is there, and the same command goes on");
  }
  const std::string what =
      place_ + " refuses: " +
      (result == nullptr ? in_line(PQerrorMessage(connection_.get())) : words_of(result));
  if (state == "42501") {
    throw Error(ExitCode::kUnavailable, what, "ask its owner for the permission (GRANT)");
  }
  if (state == "53100") {
    throw Error(ExitCode::kIo, what, "free some space there; the same command goes on");
  }
  if (state.starts_with("22")) {
    throw Error(ExitCode::kBadData, what, "push into a database whose encoding is UTF8");
  }
  if (state.starts_with("23") || state.starts_with("42") || state.starts_with("P0")) {
    throw Error(ExitCode::kMismatch, what, "name another table with --table");
  }
  throw Error(ExitCode::kUnavailable, what,
              "what was committed is there, and the same command goes on");
}

// Until the socket has something to read or a moment has passed.
void Connection::wait_for_bytes() {
  pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
  poll(&socket, 1, kLookAgainMilliseconds);
}

std::unique_ptr<PGresult, FreeResult> Connection::wait() {
  std::unique_ptr<PGresult, FreeResult> last;
  bool cancelled = false;
  while (true) {
    while (PQisBusy(connection_.get()) != 0) {
      if (!cancelled && stop_()) {
        cancelled = true;
        std::array<char, 256> ignored{};
        PGcancel* cancel = PQgetCancel(connection_.get());
        PQcancel(cancel, ignored.data(), static_cast<int>(ignored.size()));
        PQfreeCancel(cancel);
      }
      wait_for_bytes();
      if (PQconsumeInput(connection_.get()) == 0) {
        fail(nullptr);
      }
    }
    std::unique_ptr<PGresult, FreeResult> next(PQgetResult(connection_.get()));
    if (!next) {
      break;
    }
    last = std::move(next);
    const ExecStatusType status = PQresultStatus(last.get());
    if (status == PGRES_COPY_IN) {
      return last;
    }
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
      if (cancelled) {
        stopped();
      }
      fail(last.get());
    }
  }
  if (!last) {
    fail(nullptr);
  }
  return last;
}

Result Connection::run(const std::string& statement, const std::vector<std::string>& values) {
  std::vector<const char*> texts;
  for (const std::string& value : values) {
    texts.push_back(value.c_str());
  }
  if (PQsendQueryParams(connection_.get(), statement.c_str(), static_cast<int>(texts.size()),
                        nullptr, texts.data(), nullptr, nullptr, 0) == 0) {
    fail(nullptr);
  }
  return Result(wait().release());
}

void Connection::copy(const std::string& statement, std::string_view bytes) {
  run(statement);
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPieceBytes);
    if (PQputCopyData(connection_.get(), piece.data(), static_cast<int>(piece.size())) != 1) {
      fail(nullptr);
    }
    bytes.remove_prefix(piece.size());
    if (stop_()) {
      stopped();
    }
  }
  if (PQputCopyEnd(connection_.get(), nullptr) != 1) {
    fail(nullptr);
  }
  wait();
}

}  // namespace longhaul::postgres
