#include "postgres/connection.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <new>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"
#include "postgres/refusal.hpp"

namespace longhaul::postgres {
namespace {

constexpr int kLookAgainMilliseconds = 100;
// So often nothing came after a statement was cancelled: some 10 seconds. Nobody is there.
constexpr int kSilences = 100;
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

// libpq waits by itself until a server answers, a host is found, or its time is over. A thread does
// it, which is left behind where a stop is asked: the process ends then.
struct Attempt {
  std::string uri;
  std::string seconds;
  std::promise<PGconn*> made;

  void connect() {
    // Of two that say the same the later counts, and the address is the later.
    const std::array<const char*, 4> names{"connect_timeout", "application_name", "dbname",
                                           nullptr};
    const std::array<const char*, 4> values{seconds.c_str(), "longhaul", uri.c_str(), nullptr};
    made.set_value(PQconnectdbParams(names.data(), values.data(), 1));
  }
};

PGconn* connect(const std::string& uri, unsigned seconds, const std::function<bool()>& stop) {
  // Owned by this function and by the thread, whichever ends later.
  const auto attempt = std::make_shared<Attempt>();
  attempt->uri = uri;
  attempt->seconds = seconds == 0 ? "" : std::to_string(seconds);
  std::future<PGconn*> made = attempt->made.get_future();
  std::thread([attempt] { attempt->connect(); }).detach();
  while (made.wait_for(std::chrono::milliseconds(kLookAgainMilliseconds)) !=
         std::future_status::ready) {
    if (stop()) {
      throw Error(ExitCode::kInterrupted, "stopped while no server had answered yet",
                  "the same command begins it again");
    }
  }
  return made.get();
}

// PQcancel makes a connection of its own, and waits as long as the network lets it.
void cancel_aside(PGconn* connection) {
  PGcancel* cancel = PQgetCancel(connection);
  if (cancel == nullptr) {
    return;
  }
  std::thread([cancel] {
    std::array<char, 256> ignored{};
    PQcancel(cancel, ignored.data(), static_cast<int>(ignored.size()));
    PQfreeCancel(cancel);
  }).detach();
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
  connection_.reset(connect(uri, connect_seconds, stop_));
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
  // Nothing that libpq does may wait: the server may be gone without a word.
  PQsetnonblocking(connection_.get(), 1);
}

void Connection::stopped() {
  throw Error(ExitCode::kInterrupted, "stopped while " + place_ + " was at work",
              "what was committed is there, and the same command goes on");
}

void Connection::fail(const PGresult* result) {
  const std::string state = result == nullptr ? "" : field(result, PG_DIAG_SQLSTATE);
  const bool lost = PQstatus(connection_.get()) == CONNECTION_BAD || is_lost(state);
  if ((lost || state == kCancelled) && stop_()) {
    stopped();
  }
  if (lost) {
    throw Error(
        ExitCode::kUnavailable,
        "the connection to " + place_ + " was lost: " + in_line(PQerrorMessage(connection_.get())),
        "what was committed is there, and the same command goes on");
  }
  throw refusal(state, place_ + " refuses: " +
                           (result == nullptr ? in_line(PQerrorMessage(connection_.get()))
                                              : words_of(result)));
}

// Until the socket can be read, or also written, or a moment has passed: then false.
bool Connection::wait_for_socket(bool write) {
  pollfd socket{PQsocket(connection_.get()), static_cast<short>(POLLIN | (write ? POLLOUT : 0)), 0};
  const bool ready = poll(&socket, 1, kLookAgainMilliseconds) > 0;
  if (PQconsumeInput(connection_.get()) == 0) {
    fail(nullptr);
  }
  return ready;
}

// What is in hand goes out.
void Connection::flush() {
  for (int left = PQflush(connection_.get()); left != 0; left = PQflush(connection_.get())) {
    if (left < 0) {
      fail(nullptr);
    }
    if (stop_()) {
      stopped();
    }
    wait_for_socket(true);
  }
}

void Connection::wait_until_answered() {
  bool cancelled = false;
  int silences = 0;
  while (PQisBusy(connection_.get()) != 0) {
    if (!cancelled && stop_()) {
      cancelled = true;
      cancel_aside(connection_.get());
    }
    if (!wait_for_socket(false) && cancelled && ++silences == kSilences) {
      stopped();
    }
  }
}

std::unique_ptr<PGresult, FreeResult> Connection::wait() {
  flush();
  std::unique_ptr<PGresult, FreeResult> last;
  while (true) {
    wait_until_answered();
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
      const std::unique_ptr<PGresult, FreeResult> refused = std::move(last);
      drain();
      fail(refused.get());
    }
  }
  if (!last) {
    fail(nullptr);
  }
  return last;
}

// What follows an error, so that another statement can be given.
void Connection::drain() {
  while (PQstatus(connection_.get()) != CONNECTION_BAD) {
    wait_until_answered();
    const std::unique_ptr<PGresult, FreeResult> next(PQgetResult(connection_.get()));
    if (!next || PQresultStatus(next.get()) == PGRES_COPY_IN) {
      return;
    }
  }
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
    flush();
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
