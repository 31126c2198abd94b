#include "postgres/postgres_table.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "postgres/refusal.hpp"
#include "postgres/table_sql.hpp"

namespace longhaul::postgres {
namespace {

using export_room::BatchOutcome;
using export_room::DatabaseTarget;
using export_room::PushKey;

constexpr const char* kOtherTable = "name another table with --table";
// The comment of a table that we made: this, then JSON of what made the vectors.
constexpr std::string_view kComment = "longhaul ";

// The first versions of pgvector with an hnsw index, and with one over halves.
constexpr std::uint64_t kHnswVersion = 5;
constexpr std::uint64_t kHalfVersion = 7;

// "0.8.1": 8.
std::uint64_t minor_version(const std::string& version) {
  const std::size_t dot = version.find('.');
  if (dot == std::string::npos || version.substr(0, dot) != "0") {
    return kHalfVersion;  // of later numbers than any that lacks something
  }
  const std::string rest = version.substr(dot + 1);
  return parse_count(rest.substr(0, rest.find('.'))).value_or(0);
}

}  // namespace

PostgresTable::PostgresTable(const DatabaseTarget& target)
    : shape_(target.table),
      index_(target.index),
      connection_(target.uri, target.connect_seconds, target.stop) {}

std::string PostgresTable::table_words() const {
  return "table " + printable(shape_.name) + " of " + place();
}

void PostgresTable::check() {
  find_extension();
  find_schema();
  const Result found =
      connection_.run("SELECT to_regclass($1)::oid", {TableSql(shape_, extension_schema_).table()});
  if (found.missing(0, 0)) {
    return;
  }
  table_id_ = found.text(0, 0);
  check_columns();
  check_key();
  check_maker();
  may_hold_rows_ =
      connection_.run("SELECT 1 FROM " + TableSql(shape_, extension_schema_).table() + " LIMIT 1")
          .rows() > 0;
}

void PostgresTable::find_extension() {
  const Result found = connection_.run(
      "SELECT n.nspname, e.extversion FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = "
      "e.extnamespace WHERE e.extname = 'vector'");
  if (found.rows() == 0) {
    throw Error(ExitCode::kUnavailable, place() + " has no extension vector (pgvector)",
                "give CREATE EXTENSION vector there, as one who may");
  }
  extension_schema_ = found.text(0, 0);
  const std::uint64_t version = minor_version(found.text(0, 1));
  if (index_ &&
      version < (TableSql(shape_, extension_schema_).by_halves() ? kHalfVersion : kHnswVersion)) {
    throw Error(ExitCode::kUnavailable,
                "pgvector " + printable(found.text(0, 1)) + " of " + place() +
                    " has no hnsw index for vectors of " + format_count(shape_.dimension) +
                    " numbers",
                "leave --index out, or install pgvector 0.7 or newer there");
  }
}

void PostgresTable::find_schema() {
  if (shape_.schema.empty()) {
    // Where a table of that name is found, else where one would be made.
    const Result found = connection_.run(
        "SELECT coalesce((SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = "
        "c.relnamespace WHERE c.oid = to_regclass($1)), current_schema())",
        {quoted_name(shape_.name)});
    if (!found.missing(0, 0)) {
      shape_.schema = found.text(0, 0);
      return;
    }
  } else if (!connection_.run("SELECT to_regnamespace($1)", {quoted_name(shape_.schema)})
                  .missing(0, 0)) {
    return;
  }
  throw Error(
      ExitCode::kMismatch,
      place() + " has no schema " +
          (shape_.schema.empty() ? "that this user's search_path names" : printable(shape_.schema)),
      "make it with CREATE SCHEMA, or name one that is there: --table SCHEMA.NAME");
}

void PostgresTable::check_columns() {
  const Result kind = connection_.run(
      "SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = $1::oid", {table_id_});
  if (kind.text(0, 0) != "t") {
    throw Error(ExitCode::kMismatch, table_words() + " is a view or the like, no table",
                kOtherTable);
  }
  const Result columns = connection_.run(
      "SELECT a.attname, format_type(a.atttypid, a.atttypmod), "
      "a.atttypid = to_regtype($2), a.atttypmod, "
      "a.attnotnull AND NOT a.atthasdef AND a.attidentity = '', a.attgenerated = '' AND "
      "a.attidentity <> 'a' FROM pg_attribute AS a WHERE a.attrelid = $1::oid AND a.attnum > 0 "
      "AND NOT a.attisdropped ORDER BY a.attnum",
      {table_id_, quoted_name(extension_schema_) + ".vector"});
  const auto refuse = [&](const std::string& what) {
    throw Error(ExitCode::kMismatch, table_words() + " " + what, kOtherTable);
  };
  bool sized = false;
  std::vector<std::string> wanted{"id", "row_number", "vector"};
  wanted.insert(wanted.end(), shape_.texts.begin(), shape_.texts.end());
  for (int row = 0; row < columns.rows(); ++row) {
    const std::string name = columns.text(row, 0);
    const std::string type = columns.text(row, 1);
    const auto found = std::ranges::find(wanted, name);
    if (found == wanted.end()) {
      if (columns.text(row, 4) == "t") {
        refuse("has a column " + printable(name) +
               " that must have a value, and the output has none for it");
      }
      continue;
    }
    wanted.erase(found);
    if (columns.text(row, 5) != "t") {
      refuse("computes its column " + printable(name) + " by itself");
    }
    if (name == "vector") {
      const std::string size = columns.text(row, 3);
      if (columns.text(row, 2) != "t" ||
          (size != "-1" && size != std::to_string(shape_.dimension))) {
        refuse("has a column vector of type " + printable(type) + ", and the vectors are vector(" +
               std::to_string(shape_.dimension) + ")");
      }
      sized = size != "-1";
      continue;
    }
    const std::string own = name == "row_number" ? "bigint" : "text";
    if (type != own) {
      refuse("has a column " + printable(name) + " of type " + printable(type) + ", not " + own);
    }
  }
  if (!wanted.empty()) {
    refuse("has no column " + printable(wanted.front()));
  }
  check_index(sized);
}

// An index is of vectors of one length, which the column's type has to say.
void PostgresTable::check_index(bool sized) {
  if (index_ && !sized && !has_index()) {
    throw Error(ExitCode::kMismatch,
                table_words() +
                    " has a column vector without a dimension, over which no index can "
                    "be made",
                "give it one, ALTER COLUMN vector TYPE vector(" + std::to_string(shape_.dimension) +
                    "), or leave --index out");
  }
}

bool PostgresTable::has_index() {
  const TableSql sql(shape_, extension_schema_);
  return connection_
             .run(TableSql::find_index(),
                  {table_id_, sql.operators(*index_), std::to_string(shape_.dimension)})
             .rows() > 0;
}

void PostgresTable::check_key() {
  const std::string key = shape_.key == PushKey::kId ? "id" : "row_number";
  const Result found = connection_.run(
      "SELECT 1 FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum "
      "= i.indkey[0] WHERE i.indrelid = $1::oid AND i.indisunique AND i.indimmediate AND "
      "i.indisvalid AND i.indnkeyatts = 1 AND i.indpred IS NULL AND a.attname = $2",
      {table_id_, key});
  if (found.rows() == 0) {
    throw Error(
        ExitCode::kMismatch, table_words() + " has no primary key " + key,
        std::string(kOtherTable) + (shape_.key == PushKey::kId
                                        ? ", or push with --key row if row_number is its key"
                                        : ", or push without --key row if id is its key"));
  }
}

void PostgresTable::check_maker() {
  const Result found =
      connection_.run("SELECT coalesce(obj_description($1::oid, 'pg_class'), '')", {table_id_});
  const std::string comment = found.text(0, 0);
  if (!comment.starts_with(kComment)) {
    return;  // a table that others made
  }
  const auto theirs = nlohmann::json::parse(comment.substr(kComment.size()), nullptr, false);
  const auto ours = nlohmann::json::parse(shape_.made_by);
  if (!theirs.is_object()) {
    return;
  }
  for (const auto& [name, value] : ours.items()) {
    const nlohmann::json before = theirs.value(name, nlohmann::json());
    if (before != value) {
      throw Error(ExitCode::kMismatch,
                  table_words() + " holds vectors of another kind: " + name + " is " +
                      printable(before.dump()) + " there, " + printable(value.dump()) + " here",
                  kOtherTable);
    }
  }
}

void PostgresTable::make() {
  if (!table_id_.empty()) {
    return;
  }
  try {
    create();
  } catch (const Refused& refused) {
    if (!is_there_already(refused.state())) {
      throw;
    }
    connection_.run("ROLLBACK");
    check();
    if (table_id_.empty()) {
      throw;
    }
  }
}

void PostgresTable::create() {
  const TableSql sql(shape_, extension_schema_);
  connection_.run("BEGIN");
  connection_.run(sql.create());
  connection_.run("COMMENT ON TABLE " + sql.table() + " IS " +
                  quoted_text(std::string(kComment) + shape_.made_by));
  connection_.run("COMMIT");
  table_id_ = connection_.run("SELECT to_regclass($1)::oid", {sql.table()}).text(0, 0);
}

void PostgresTable::refuse_others() {
  look_for_others();
  rows_.clear();
}

void PostgresTable::look_for_others() {
  const auto numbered = [this](std::size_t row) {
    return export_room::told_by_number(rows_.id(row), rows_.number(row));
  };
  bool looks = shape_.key == PushKey::kRow;
  for (std::size_t row = 0; row < rows_.count() && !looks; ++row) {
    looks = numbered(row);
  }
  if (!looks) {
    return;  // an id is whose row it is
  }
  const Result found =
      connection_.run(TableSql(shape_, extension_schema_).identities(), {rows_.keys(shape_.key)});
  for (int i = 0; i < found.rows(); ++i) {
    const std::size_t row = parse_count(found.text(i, 0)).value() - 1;
    const std::string& id = rows_.id(row);
    std::string what;
    if (!found.missing(i, 1) && found.text(i, 1) != id) {
      what = "has the id " + printable(found.text(i, 1)) + " in row " +
             std::to_string(rows_.number(row)) + ", which is " + printable(id) + " here";
    } else if (numbered(row) && !found.missing(i, 2) &&
               found.text(i, 2) != rows_.vector_digest(row)) {
      what = "has another vector for the id " + printable(id) + ", which is only a number of a row";
    } else {
      continue;
    }
    throw Error(ExitCode::kMismatch,
                table_words() + " " + what + ": its rows seem to be another input's",
                "name another table with --table, or empty this one if its rows shall go");
  }
}

// Which of the rows in hand are not there as they are.
BatchOutcome PostgresTable::compare(std::vector<bool>& wanted) {
  BatchOutcome outcome;
  if (may_hold_rows_) {
    const Result found =
        connection_.run(TableSql(shape_, extension_schema_).digests(), {rows_.keys(shape_.key)});
    for (int i = 0; i < found.rows(); ++i) {
      const std::size_t row = parse_count(found.text(i, 0)).value() - 1;
      wanted[row] = found.text(i, 1) != rows_.digest(row);
      ++(wanted[row] ? outcome.changed : outcome.same);
    }
    if (outcome.changed > 0) {
      look_for_others();
    }
  }
  outcome.added = rows_.count() - outcome.changed - outcome.same;
  return outcome;
}

// False, and nothing is changed, where there are rows that could not be.
bool PostgresTable::send(const std::vector<bool>& wanted, std::uint64_t rows) {
  const TableSql sql(shape_, extension_schema_);
  connection_.run("BEGIN");
  connection_.run(sql.create_staging());
  connection_.copy(sql.copy(), rows_.encoded(wanted));
  const std::string taken =
      connection_.run(sql.merge(may_hold_rows_ ? TableSql::Over::kRows : TableSql::Over::kNone))
          .touched();
  if (taken != std::to_string(rows)) {
    if (!may_hold_rows_) {
      connection_.run("ROLLBACK");
      return false;
    }
    throw Error(ExitCode::kMismatch,
                table_words() + " took " + taken + " of " + format_count(rows) +
                    " rows: a rule or a trigger of it changes what is written",
                kOtherTable);
  }
  connection_.run("COMMIT");
  return true;
}

BatchOutcome PostgresTable::commit() {
  std::vector<bool> wanted(rows_.count(), true);
  BatchOutcome outcome = compare(wanted);
  while (outcome.added + outcome.changed > 0 && !send(wanted, outcome.added + outcome.changed)) {
    // Somebody else puts rows there since check() found none.
    may_hold_rows_ = true;
    wanted.assign(rows_.count(), true);
    outcome = compare(wanted);
  }
  rows_.clear();
  return outcome;
}

bool PostgresTable::make_index() {
  if (has_index()) {
    return false;
  }
  const TableSql sql(shape_, extension_schema_);
  try {
    connection_.run("BEGIN");
    // One at a time: another push may be about to make the same.
    connection_.run("LOCK TABLE " + sql.table() + " IN SHARE UPDATE EXCLUSIVE MODE");
    const bool make = !has_index();
    if (make) {
      connection_.run(sql.create_index(*index_));
    }
    connection_.run("COMMIT");
    return make;
  } catch (const Refused& refused) {
    if (refused.code() != ExitCode::kMismatch) {
      throw;
    }
    throw Error(
        ExitCode::kMismatch,
        std::string("the rows are there, and the index could not be made: ") + refused.what(),
        "leave --index out: a search without one is exact");
  }
}

}  // namespace longhaul::postgres
