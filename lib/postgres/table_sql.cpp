#include "postgres/table_sql.hpp"

#include "base/text.hpp"

namespace longhaul::postgres {
namespace {

using export_room::PushKey;
using export_room::VectorMetric;

constexpr const char* kStaging = "pg_temp.longhaul_staging";
// An hnsw index holds so many numbers of float32; beyond them the vectors are indexed as halves.
constexpr std::uint32_t kMostFloats = 2000;

std::string doubled(std::string_view text, char mark) {
  std::string word(1, mark);
  for (const char c : text) {
    word.append(c == mark ? 2 : 1, c);
  }
  return word + mark;
}

}  // namespace

std::string quoted_name(std::string_view name) {
  return doubled(name, '"');
}

std::string quoted_text(std::string_view text) {
  return doubled(text, '\'');
}

bool TableSql::by_halves() const {
  return shape_.dimension > kMostFloats;
}

std::string TableSql::table() const {
  return quoted_name(shape_.schema) + "." + quoted_name(shape_.name);
}

std::string TableSql::key() const {
  return shape_.key == PushKey::kId ? "id" : "row_number";
}

std::vector<std::string> TableSql::columns() const {
  std::vector<std::string> names{"id", "row_number", "vector"};
  for (const std::string& name : shape_.texts) {
    names.push_back(quoted_name(name));
  }
  return names;
}

std::string TableSql::create() const {
  std::string sql = "CREATE TABLE " + table() + " (id text NOT NULL, row_number bigint NOT NULL, " +
                    "vector " + vectors_ + "vector(" + std::to_string(shape_.dimension) +
                    ") NOT NULL";
  for (const std::string& name : shape_.texts) {
    sql += ", " + quoted_name(name) + " text";
  }
  return sql + ", PRIMARY KEY (" + key() + "))";
}

std::string TableSql::create_staging() const {
  std::string sql = std::string("CREATE TEMPORARY TABLE longhaul_staging (id text, ") +
                    "row_number bigint, vector " + vectors_ + "vector(" +
                    std::to_string(shape_.dimension) + ")";
  for (const std::string& name : shape_.texts) {
    sql += ", " + quoted_name(name) + " text";
  }
  return sql + ") ON COMMIT DROP";
}

std::string TableSql::copy() const {
  return std::string("COPY ") + kStaging + " FROM STDIN (FORMAT binary)";
}

std::string TableSql::merge(Over over) const {
  std::vector<std::string> changed;
  for (const std::string& name : columns()) {
    if (name != key()) {
      changed.push_back(name + " = EXCLUDED." + name);
    }
  }
  const std::string names = join(columns(), ", ");
  return "INSERT INTO " + table() + " (" + names + ") SELECT " + names + " FROM " + kStaging +
         " ON CONFLICT (" + key() + ") DO " +
         (over == Over::kRows ? "UPDATE SET " + join(changed, ", ") : "NOTHING");
}

std::string TableSql::digests() const {
  const auto text = [](const std::string& name) {
    const std::string bytes = "convert_to(t." + name + ", 'UTF8')";
    return "coalesce(int4send(octet_length(" + bytes + ")) || " + bytes +
           ", decode('ffffffff', 'hex'))";
  };
  std::string sql =
      "SELECT k.place, encode(sha256(coalesce(int8send(t.row_number), ''::bytea) || "
      "coalesce(" +
      vectors_ + "vector_send(t.vector), ''::bytea) || " + text("id");
  for (const std::string& name : shape_.texts) {
    sql += " || " + text(quoted_name(name));
  }
  return sql + "), 'hex')" + from_keys();
}

std::string TableSql::identities() const {
  return "SELECT k.place, t.id, encode(sha256(" + vectors_ + "vector_send(t.vector)), 'hex')" +
         from_keys();
}

std::string TableSql::from_keys() const {
  const std::string type = shape_.key == PushKey::kId ? "text" : "bigint";
  return " FROM unnest($1::" + type + "[]) WITH ORDINALITY AS k(key, place) JOIN " + table() +
         " AS t ON t." + key() + " = k.key";
}

// The vectors are the column, or the column as a type of so many numbers.
std::string TableSql::find_index() {
  return "SELECT 1 FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m "
         "ON m.oid = c.relam JOIN pg_opclass AS o ON o.oid = i.indclass[0] JOIN pg_attribute AS a "
         "ON a.attrelid = i.indrelid AND a.attname = 'vector' WHERE i.indrelid = $1::oid AND "
         "m.amname = 'hnsw' AND o.opcname = $2 AND i.indisvalid AND i.indpred IS NULL AND "
         "(i.indkey[0] = a.attnum OR pg_get_expr(i.indexprs, i.indrelid) = '(vector)::' || "
         "format_type(o.opcintype, $3::integer))";
}

std::string TableSql::operators(VectorMetric metric) const {
  const std::string type = by_halves() ? "halfvec" : "vector";
  switch (metric) {
    case VectorMetric::kCosine:
      return type + "_cosine_ops";
    case VectorMetric::kL2:
      return type + "_l2_ops";
    case VectorMetric::kDot:
      break;
  }
  return type + "_ip_ops";
}

std::string TableSql::create_index(VectorMetric metric) const {
  const std::string indexed =
      by_halves() ? "(vector::" + vectors_ + "halfvec(" + std::to_string(shape_.dimension) + "))"
                  : "vector";
  return "CREATE INDEX ON " + table() + " USING hnsw (" + indexed + " " + vectors_ +
         operators(metric) + ")";
}

}  // namespace longhaul::postgres
