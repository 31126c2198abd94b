// The statements of a push. Names are quoted, so that any text is a name. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "export/database_table.hpp"

namespace longhaul::postgres {

std::string quoted_name(std::string_view name);
std::string quoted_text(std::string_view text);

// Statements on the table of a shape, whose schema is known. `vectors` is pgvector's schema.
class TableSql {
 public:
  TableSql(const export_room::TableShape& shape, const std::string& vectors)
      : shape_(shape), vectors_(quoted_name(vectors) + ".") {}

  std::string table() const;
  std::string create() const;
  std::string create_staging() const;
  std::string copy() const;
  // From the staging table to the table, where a row of the same key is there.
  enum class Over { kRows, kNone };
  std::string merge(Over over) const;
  // Of an array of keys: the number in it, from 1, of each key that the table has, and the hash of
  // its row (CopyRows::digest).
  std::string digests() const;
  // Of the same: the number, the id that the table has there, and the hash of the vector
  // (CopyRows::vector_digest).
  std::string identities() const;
  // Nothing, or a row where the table ($1, of pg_class) has an index of these operators ($2) over
  // the vectors, of so many numbers ($3).
  static std::string find_index();
  std::string create_index(export_room::VectorMetric metric) const;
  // The class of operators that an index of this metric has.
  std::string operators(export_room::VectorMetric metric) const;
  // Whether the vectors have more numbers than an index of float32 holds.
  bool by_halves() const;

 private:
  std::vector<std::string> columns() const;
  std::string from_keys() const;
  std::string key() const;

  const export_room::TableShape& shape_;
  std::string vectors_;
};

}  // namespace longhaul::postgres
