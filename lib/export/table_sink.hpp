// A table of rows being written, whatever its format: named cells, then vectors. Who writes it
// knows nothing of outputs; who fills it nothing of formats. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/files.hpp"
#include "domain/output_spec.hpp"

namespace longhaul::export_room {

enum class CellType { kCount, kFlag, kNumber, kText };

struct Column {
  std::string name;
  CellType type = CellType::kText;
  bool may_be_missing = false;
  bool kept = false;  // of the input, not of ours
};

// Nothing, where the column may have none; else of the column's type.
using Cell = std::variant<std::monostate, std::uint64_t, bool, double, std::string_view>;

// Of ArrayKind::kTokens: as many vectors as the row has residues.
struct VectorColumn {
  std::string name;
  ArrayKind kind = ArrayKind::kVector;
  std::uint32_t dimension = 0;
};

struct TableSchema {
  std::vector<Column> columns;
  std::vector<VectorColumn> vectors;
  bool vectors_may_be_missing = false;
  std::string metadata;  // JSON: what made the vectors
};

struct TableRow {
  std::span<const Cell> cells;
  // Of each vector column; nothing for a row without a vector.
  std::span<const std::optional<std::span<const float>>> vectors;
};

class TableSink {
 public:
  virtual ~TableSink() = default;
  // What the row refers to is not kept.
  virtual void add(const TableRow& row) = 0;
  // All rows are on the disk when it returns; nothing comes after it. Without it the file is no
  // table.
  virtual void finish() = 0;
};

// Begins a table in a new file at `path`.
using MakeSink = std::function<std::unique_ptr<TableSink>(Files& files, const std::string& path,
                                                          const TableSchema& schema)>;

}  // namespace longhaul::export_room
