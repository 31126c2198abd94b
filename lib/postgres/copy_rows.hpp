// Rows in the form of PostgreSQL's COPY ... (FORMAT binary), kept one by one so that some of them
// can be sent: id text, row_number bigint, vector of pgvector (int16 dimension, int16 0, float4s;
// all big-endian), then texts. With each a hash that digest_expression() computes of a row that is
// there. Values; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "export/database_table.hpp"

namespace longhaul::postgres {

class CopyRows {
 public:
  void add(const export_room::PushedRow& row);
  void clear();

  std::size_t count() const { return rows_.size(); }
  const std::string& digest(std::size_t row) const { return rows_[row].digest; }
  // SHA-256 of the vector alone, hexadecimal.
  std::string vector_digest(std::size_t row) const;
  std::uint64_t number(std::size_t row) const { return rows_[row].number; }
  const std::string& id(std::size_t row) const { return rows_[row].id; }
  // The keys of all rows as an array literal of PostgreSQL.
  std::string keys(export_room::PushKey key) const;
  // A whole COPY of the rows for which `wanted` is true.
  std::string encoded(const std::vector<bool>& wanted) const;

 private:
  struct Row {
    std::size_t begin = 0;  // in bytes_
    std::size_t vector = 0;
    std::size_t texts = 0;  // behind the vector
    std::size_t end = 0;
    std::uint64_t number = 0;
    std::string id;
    std::string digest;  // SHA-256, hexadecimal
  };
  std::string bytes_;
  std::vector<Row> rows_;
};

}  // namespace longhaul::postgres
