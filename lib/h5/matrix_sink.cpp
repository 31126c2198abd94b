#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "h5/appender.hpp"
#include "h5/attributes.hpp"
#include "h5/h5_sinks.hpp"
#include "h5/hdf5_file.hpp"

namespace longhaul::h5 {
namespace {

using export_room::Cell;
using export_room::CellType;
using export_room::TableRow;
using export_room::TableSchema;

constexpr const char* kOffsets = "token_offsets";

class MatrixSink : public export_room::TableSink {
 public:
  explicit MatrixSink(const export_room::H5Target& target)
      : schema_(*target.schema), file_(*target.files, *target.path) {
    file_.guarded([&] {
      put_text(file_.id(), "longhaul", schema_.metadata);
      flag_ = flag_type();
    });
    for (const export_room::VectorColumn& column : schema_.vectors) {
      begin_array(column);
    }
    for (const export_room::Column& column : schema_.columns) {
      begin_column(column);
    }
  }

  void add(const TableRow& row) override {
    for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
      if (const auto* text = std::get_if<std::string_view>(&row.cells[i])) {
        require_text(*text, "row " + std::to_string(std::get<std::uint64_t>(row.cells[0])) +
                                ", column " + schema_.columns[i].name);
      }
    }
    file_.guarded([&] {
      for (std::size_t i = 0; i < schema_.vectors.size(); ++i) {
        add_vectors(i, row.vectors[i]);
      }
      for (std::size_t i = 0; i < schema_.columns.size(); ++i) {
        add_cell(schema_.columns[i], columns_[i], row.cells[i]);
      }
    });
  }

  void finish() override {
    file_.guarded([&] {
      for (Appender& array : arrays_) {
        array.finish();
      }
      for (Appender& offsets : offsets_) {
        offsets.finish();
      }
      for (ColumnAppender& column : columns_) {
        std::visit([](auto& one) { one.finish(); }, column);
      }
    });
    file_.finish();
  }

 private:
  using ColumnAppender = std::variant<Appender, TextAppender>;

  // The array itself, and of residues where each row's begin.
  void begin_array(const export_room::VectorColumn& column) {
    arrays_.emplace_back(file_.id(), taking(column.name),
                         Elements{.file_type = H5T_IEEE_F32LE,
                                  .memory_type = H5T_NATIVE_FLOAT,
                                  .bytes = sizeof(float),
                                  .in_row = column.dimension});
    if (column.kind == ArrayKind::kTokens) {
      offsets_.emplace_back(file_.id(), taking(kOffsets), counts());
      offsets_.back().add(&residues_, 1);
    }
  }

  void begin_column(const export_room::Column& column) {
    const std::string name = taking(export_room::dataset_name(column.name));
    switch (column.type) {
      case CellType::kCount:
        columns_.emplace_back(Appender(file_.id(), name, counts()));
        return;
      case CellType::kFlag:
        columns_.emplace_back(Appender(
            file_.id(), name,
            {.file_type = flag_.id(), .memory_type = flag_.id(), .bytes = sizeof(std::int8_t)}));
        return;
      case CellType::kNumber:
        columns_.emplace_back(Appender(file_.id(), name,
                                       {.file_type = H5T_IEEE_F64LE,
                                        .memory_type = H5T_NATIVE_DOUBLE,
                                        .bytes = sizeof(double)}));
        return;
      case CellType::kText:
        columns_.emplace_back(TextAppender(file_.id(), name));
    }
  }

  static Elements counts() {
    return {
        .file_type = H5T_STD_I64LE, .memory_type = H5T_NATIVE_INT64, .bytes = sizeof(std::int64_t)};
  }

  std::string taking(std::string name) {
    while (std::ranges::find(names_, name) != names_.end()) {
      name.insert(0, "input.");
    }
    names_.push_back(name);
    return name;
  }

  void add_vectors(std::size_t at, const std::optional<std::span<const float>>& values) {
    const export_room::VectorColumn& column = schema_.vectors[at];
    if (values) {
      arrays_[at].add(values->data(), values->size());
    } else if (column.kind == ArrayKind::kVector) {
      missing_.assign(column.dimension, std::numeric_limits<float>::quiet_NaN());
      arrays_[at].add(missing_.data(), missing_.size());
    }
    if (column.kind == ArrayKind::kTokens) {
      residues_ += values ? static_cast<std::int64_t>(values->size() / column.dimension) : 0;
      offsets_.front().add(&residues_, 1);
    }
  }

  static void add_cell(const export_room::Column& column, ColumnAppender& appender,
                       const Cell& cell) {
    if (column.type == CellType::kText) {
      std::get<TextAppender>(appender).add(std::get<std::string_view>(cell));
      return;
    }
    auto& numbers = std::get<Appender>(appender);
    if (column.type == CellType::kCount) {
      const auto* count = std::get_if<std::uint64_t>(&cell);
      const std::int64_t value = count == nullptr ? -1 : static_cast<std::int64_t>(*count);
      numbers.add(&value, 1);
    } else if (column.type == CellType::kFlag) {
      const auto value = static_cast<std::int8_t>(std::get<bool>(cell) ? 1 : 0);
      numbers.add(&value, 1);
    } else {
      const double value = std::get<double>(cell);
      numbers.add(&value, 1);
    }
  }

  TableSchema schema_;
  Hdf5File file_;
  Handle flag_;
  std::vector<std::string> names_;
  std::vector<Appender> arrays_;
  std::vector<Appender> offsets_;  // none, or one: an output has residues once
  std::vector<ColumnAppender> columns_;
  std::int64_t residues_ = 0;
  std::vector<float> missing_;
};

}  // namespace

std::unique_ptr<export_room::TableSink> matrix_sink(const export_room::H5Target& target) {
  return std::make_unique<MatrixSink>(target);
}

}  // namespace longhaul::h5
