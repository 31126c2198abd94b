#include "arrow/parquet_writer.hpp"

#include <arrow/array/builder_binary.h>
#include <arrow/array/builder_nested.h>
#include <arrow/array/builder_primitive.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>
#include <parquet/properties.h>

#include <utility>

#include "arrow/file_stream.hpp"
#include "base/error.hpp"

namespace longhaul::arrow_room {
namespace {

using export_room::Cell;
using export_room::CellType;
using export_room::Column;
using export_room::TableRow;
using export_room::TableSchema;
using export_room::VectorColumn;

constexpr std::int64_t kGroupBytes = std::int64_t{32} << 20;
constexpr std::int64_t kGroupRows = 131072;
// Of a cell that is no text, and of each text's place.
constexpr std::int64_t kCellBytes = 8;

std::shared_ptr<arrow::DataType> type_of(const Column& column) {
  switch (column.type) {
    case CellType::kCount:
      return arrow::int64();
    case CellType::kFlag:
      return arrow::boolean();
    case CellType::kNumber:
      return arrow::float64();
    case CellType::kText:
      break;
  }
  return arrow::utf8();
}

// Numbers are never missing inside a vector.
std::shared_ptr<arrow::DataType> list_of(const std::shared_ptr<arrow::DataType>& type) {
  return arrow::list(arrow::field("element", type, /*nullable=*/false));
}

std::shared_ptr<arrow::DataType> type_of(const VectorColumn& column) {
  const auto vector = list_of(arrow::float32());
  return column.kind == ArrayKind::kTokens ? list_of(vector) : vector;
}

std::shared_ptr<arrow::Schema> arrow_schema(const TableSchema& table) {
  arrow::FieldVector fields;
  for (const Column& column : table.columns) {
    fields.push_back(arrow::field(column.name, type_of(column), column.may_be_missing));
  }
  for (const VectorColumn& column : table.vectors) {
    fields.push_back(arrow::field(column.name, type_of(column), table.vectors_may_be_missing));
  }
  return arrow::schema(std::move(fields),
                       arrow::key_value_metadata({{"longhaul", table.metadata}}));
}

std::shared_ptr<parquet::WriterProperties> writer_properties(const TableSchema& table) {
  parquet::WriterProperties::Builder properties;
  properties.compression(parquet::Compression::ZSTD);
  for (const VectorColumn& column : table.vectors) {
    const std::string path =
        column.name +
        (column.kind == ArrayKind::kTokens ? ".list.element.list.element" : ".list.element");
    properties.disable_dictionary(path);
    properties.disable_statistics(path);
    properties.compression(path, parquet::Compression::UNCOMPRESSED);
  }
  return properties.build();
}

class ParquetSink : public export_room::TableSink {
 public:
  ParquetSink(Files& files, const std::string& path, const TableSchema& schema)
      : schema_(schema),
        arrow_schema_(arrow_schema(schema)),
        stream_(std::make_shared<FileStream>(files.open(path, OpenMode::kCreate))) {
    guarded([&] {
      const auto arrow_properties =
          parquet::ArrowWriterProperties::Builder().store_schema()->build();
      auto made =
          parquet::arrow::FileWriter::Open(*arrow_schema_, arrow::default_memory_pool(), stream_,
                                           writer_properties(schema_), arrow_properties);
      check(made.status());
      writer_ = std::move(made).ValueUnsafe();
      check(arrow::MakeBuilder(arrow::default_memory_pool(),
                               arrow::struct_(arrow_schema_->fields()), &builder_));
    });
  }

  void add(const TableRow& row) override {
    guarded([&] {
      check(struct_builder().Append());
      int field = 0;
      for (const Cell& cell : row.cells) {
        append(schema_.columns[static_cast<std::size_t>(field)], field, cell);
        ++field;
      }
      std::size_t vector = 0;
      for (const auto& values : row.vectors) {
        append(schema_.vectors[vector++], field++, values);
      }
      ++rows_;
      if (bytes_ >= kGroupBytes || rows_ >= kGroupRows) {
        write_group();
      }
    });
  }

  void finish() override {
    guarded([&] {
      write_group();
      check(writer_->Close());
    });
    stream_->sync();
  }

 private:
  template <typename Work>
  void guarded(const Work& work) {
    try {
      work();
    } catch (const parquet::ParquetException& error) {
      stream_->rethrow();
      throw Error(ExitCode::kInternal, std::string("Parquet cannot be written: ") + error.what());
    }
  }

  void check(const arrow::Status& status) const {
    if (status.ok()) {
      return;
    }
    stream_->rethrow();
    if (status.IsOutOfMemory()) {
      throw std::bad_alloc();
    }
    throw Error(ExitCode::kInternal, "Parquet cannot be written: " + status.message());
  }

  arrow::StructBuilder& struct_builder() { return static_cast<arrow::StructBuilder&>(*builder_); }
  template <typename Builder>
  Builder& field_builder(int field) {
    return static_cast<Builder&>(*struct_builder().field_builder(field));
  }

  void append(const Column& column, int field, const Cell& cell) {
    bytes_ += kCellBytes;
    if (std::holds_alternative<std::monostate>(cell)) {
      check(struct_builder().field_builder(field)->AppendNull());
      return;
    }
    switch (column.type) {
      case CellType::kCount:
        check(field_builder<arrow::Int64Builder>(field).Append(
            static_cast<std::int64_t>(std::get<std::uint64_t>(cell))));
        return;
      case CellType::kFlag:
        check(field_builder<arrow::BooleanBuilder>(field).Append(std::get<bool>(cell)));
        return;
      case CellType::kNumber:
        check(field_builder<arrow::DoubleBuilder>(field).Append(std::get<double>(cell)));
        return;
      case CellType::kText: {
        const std::string_view text = std::get<std::string_view>(cell);
        bytes_ += static_cast<std::int64_t>(text.size());
        check(field_builder<arrow::StringBuilder>(field).Append(text));
      }
    }
  }

  void append(const VectorColumn& column, int field,
              const std::optional<std::span<const float>>& values) {
    auto& list = field_builder<arrow::ListBuilder>(field);
    if (!values) {
      check(list.AppendNull());
      return;
    }
    check(list.Append());
    bytes_ += static_cast<std::int64_t>(values->size_bytes());
    if (column.kind == ArrayKind::kVector) {
      append_numbers(list, *values);
      return;
    }
    auto& residues = static_cast<arrow::ListBuilder&>(*list.value_builder());
    for (std::size_t at = 0; at < values->size(); at += column.dimension) {
      check(residues.Append());
      append_numbers(residues, values->subspan(at, column.dimension));
    }
  }

  void append_numbers(arrow::ListBuilder& list, std::span<const float> values) {
    check(static_cast<arrow::FloatBuilder&>(*list.value_builder())
              .AppendValues(values.data(), static_cast<std::int64_t>(values.size())));
  }

  void write_group() {
    if (rows_ == 0) {
      return;
    }
    std::shared_ptr<arrow::Array> rows;
    check(builder_->Finish(&rows));
    const auto table = arrow::Table::Make(
        arrow_schema_, static_cast<const arrow::StructArray&>(*rows).fields(), rows_);
    check(writer_->WriteTable(*table, rows_));
    rows_ = bytes_ = 0;
  }

  TableSchema schema_;
  std::shared_ptr<arrow::Schema> arrow_schema_;
  std::shared_ptr<FileStream> stream_;  // shared with writer_
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  std::unique_ptr<arrow::ArrayBuilder> builder_;  // of the row group in hand
  std::int64_t rows_ = 0;
  std::int64_t bytes_ = 0;
};

}  // namespace

export_room::MakeSink parquet_sink() {
  return [](Files& files, const std::string& path, const TableSchema& schema) {
    return std::make_unique<ParquetSink>(files, path, schema);
  };
}

}  // namespace longhaul::arrow_room
