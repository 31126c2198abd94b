// A table of vectors in a database, and what the program and the module that knows the database
// agree on. The module is loaded for `longhaul push` alone: its client library brings many others.
// What is in hand is held until commit(); a commit is one transaction. One thread. Errors: see
// push_output.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::export_room {

enum class PushKey { kId, kRow };
enum class VectorMetric { kCosine, kL2, kDot };

struct TableShape {
  std::string schema;  // empty: the one where the database puts a table without a name of one
  std::string name;
  PushKey key = PushKey::kId;
  std::uint32_t dimension = 0;
  std::vector<std::string> texts;  // names of the columns behind id, row_number and vector
  std::string made_by;             // JSON: what made the vectors; vectors of others do not mix
};

struct PushedRow {
  std::uint64_t number = 0;  // of the record in its input
  std::string_view id;
  std::span<const float> vector;
  std::span<const std::string> texts;
};

struct BatchOutcome {
  std::uint64_t added = 0;
  std::uint64_t changed = 0;
  std::uint64_t same = 0;  // were there already, bit for bit
};

// Whether a record's id is only its number in the input, as where the input has no ids: a row of
// that id, with another vector, is as likely another input's as this one's from before.
bool told_by_number(std::string_view id, std::uint64_t number);

class DatabaseTable {
 public:
  virtual ~DatabaseTable() = default;
  // Whether the rows can go there. Changes nothing.
  virtual void check() = 0;
  // Whether the table that check() found has rows.
  virtual bool has_rows() const = 0;
  // Makes the table where it is not there.
  virtual void make() = 0;
  // What the row refers to is not kept.
  virtual void add(const PushedRow& row) = 0;
  // Error(kMismatch) where one of the rows since the last commit would take the place of another
  // record's (told_by_number()); then they are forgotten. Changes nothing. commit() looks too.
  virtual void refuse_others() = 0;
  // The rows since the last commit are in the database, or none of them.
  virtual BatchOutcome commit() = 0;
  // After the rows. False where the table has such an index.
  virtual bool make_index() = 0;
  // "database vectors at localhost": for messages, without a password.
  virtual std::string place() const = 0;
};

struct DatabaseTarget {
  std::string uri;  // may hold a password: no message has it
  TableShape table;
  std::optional<VectorMetric> index;
  unsigned connect_seconds = 0;  // 0: as the client library has it
  std::function<bool()> stop;    // asked while the database is waited for
};

constexpr std::uint64_t kDatabaseModuleAbi =
    (sizeof(DatabaseTarget) * 1009 + sizeof(PushedRow)) * 1009 + sizeof(BatchOutcome) + 1;
// The module's entry point: connects. Nothing when `abi` is not the module's own. The caller owns
// what it returns, and keeps the module loaded for as long.
constexpr const char* kOpenDatabaseTable = "longhaul_open_database_table";
using OpenDatabaseTable = DatabaseTable*(std::uint64_t abi, const DatabaseTarget* target);

}  // namespace longhaul::export_room
