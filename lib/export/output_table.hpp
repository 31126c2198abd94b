// An output directory as a table: the columns of records.csv, then a vector column for each of its
// arrays: "vector", "vector.LAYER", "tokens". A kept column that has such a name becomes
// input.NAME, as in records.csv. Values and pure functions; any thread.
#pragma once

#include <vector>

#include "domain/record_row.hpp"
#include "export/table_sink.hpp"
#include "store/output_reader.hpp"

namespace longhaul::export_room {

// `all`: rows without a vector too.
TableSchema output_schema(const store::OutputReader& output, bool all);

// The cells of a record, in the schema's order; their text is the record's and `hash`'s.
class RecordCells {
 public:
  explicit RecordCells(const store::StoreLayout& layout) : later_(layout.later) {}
  // Valid until the next call, and as long as the record.
  std::span<const Cell> of(const RecordRow& record);

 private:
  store::LaterColumns later_;
  std::string hash_;
  std::vector<Cell> cells_;
};

}  // namespace longhaul::export_room
