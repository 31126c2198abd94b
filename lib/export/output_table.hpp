// An output directory as a table: the columns of records.csv, then a vector column for each of its
// arrays: "vector", "vector.LAYER", "tokens". A kept column that has such a name becomes
// input.NAME, as in records.csv. Values and pure functions; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "domain/record_row.hpp"
#include "export/table_sink.hpp"
#include "store/output_reader.hpp"

namespace longhaul::export_room {

// "vector" for embeddings, "vector.LAYER", "tokens".
std::string array_column(const OutputSpec& array);

// Which of the layout's arrays a column name tells; empty: all of them. Error(kUsage) names those
// there are.
std::vector<std::size_t> arrays_named(const store::OutputReader& output, const std::string& name);

// `all`: rows without a vector too. The vectors are those of `arrays`, in the layout's order.
TableSchema output_schema(const store::OutputReader& output, bool all,
                          const std::vector<std::size_t>& arrays);

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
