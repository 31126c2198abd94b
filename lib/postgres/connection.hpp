// A connection to a PostgreSQL database, by libpq, which takes user, password and defaults from the
// address, the PG... variables of the environment, ~/.pgpass and service files. No message has the
// password. Closing it takes back what was not committed. One thread. Errors (see
// export/push_output.hpp): a lost connection is kUnavailable, a statement that the server refuses a
// Refused (refusal.hpp), after which another may be given; kInterrupted when `stop` said so while
// the database was waited for, also where a network that is dead never answers.
#pragma once

#include <libpq-fe.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::postgres {

struct FreeResult {
  void operator()(PGresult* result) const { PQclear(result); }
};

// What a statement gave, as text.
class Result {
 public:
  explicit Result(PGresult* result) : result_(result) {}
  int rows() const { return PQntuples(result_.get()); }
  bool missing(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::string text(int row, int column) const;
  std::string touched() const { return PQcmdTuples(result_.get()); }  // by INSERT; a number

 private:
  std::unique_ptr<PGresult, FreeResult> result_;
};

class Connection {
 public:
  Connection(const std::string& uri, unsigned connect_seconds, std::function<bool()> stop);

  Result run(const std::string& statement, const std::vector<std::string>& values = {});
  // COPY ... FROM STDIN with these bytes.
  void copy(const std::string& statement, std::string_view bytes);
  // "database vectors at localhost:5432".
  const std::string& place() const { return place_; }

 private:
  [[noreturn]] void fail(const PGresult* result);
  std::unique_ptr<PGresult, FreeResult> wait();
  void wait_until_answered();
  bool wait_for_socket(bool write);
  void flush();
  void drain();
  [[noreturn]] void stopped();

  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Close> connection_;
  std::function<bool()> stop_;
  std::string place_;
};

}  // namespace longhaul::postgres
