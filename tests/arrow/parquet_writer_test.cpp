#include "arrow/parquet_writer.hpp"

#include <arrow/array.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>

#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"

using namespace longhaul;
using namespace longhaul::export_room;
using namespace longhaul::fakes;

namespace {

constexpr std::uint32_t kDimension = 512;

TableSchema schema_of_all_types() {
  return {
      .columns = {{"row", CellType::kCount},
                  {"twin", CellType::kCount, true},
                  {"flag", CellType::kFlag},
                  {"score", CellType::kNumber},
                  {"id", CellType::kText}},
      .vectors = {{"vector", ArrayKind::kVector, kDimension}, {"tokens", ArrayKind::kTokens, 2}},
      .vectors_may_be_missing = true,
      .metadata = "{\"a\":1}"};
}

std::vector<float> vector_of(std::uint64_t row) {
  std::vector<float> numbers(kDimension);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = static_cast<float>(row) + static_cast<float>(i) / 1024;
  }
  return numbers;
}

// Row i has i % 4 residues; every seventh row has no vector.
void write_rows(Files& files, std::uint64_t rows) {
  const auto sink = arrow_room::parquet_sink()(files, "to/table", schema_of_all_types());
  for (std::uint64_t row = 0; row < rows; ++row) {
    const std::string id = "id " + std::to_string(row);
    const std::vector<Cell> cells{row, row % 2 == 0 ? Cell(row + 1) : Cell(), row % 3 == 0,
                                  0.5 * static_cast<double>(row), std::string_view(id)};
    const std::vector<float> vector = vector_of(row);
    const std::vector<float> tokens(row % 4 * 2, static_cast<float>(row));
    std::vector<std::optional<std::span<const float>>> vectors{vector, tokens};
    if (row % 7 == 6) {
      vectors.assign(2, std::nullopt);
    }
    sink->add({cells, vectors});
  }
  sink->finish();
}

struct ReadBack {
  std::unique_ptr<parquet::arrow::FileReader> reader;
  std::shared_ptr<arrow::Table> table;
};

ReadBack read_back(const FaultFiles& files) {
  ReadBack found;
  const auto bytes = std::make_shared<arrow::io::BufferReader>(
      arrow::Buffer::FromString(files.content("to/table")));
  parquet::arrow::FileReaderBuilder builder;
  REQUIRE(builder.Open(bytes).ok());
  found.reader = builder.Build().ValueOrDie();
  found.table = found.reader->ReadTable().ValueOrDie()->CombineChunks().ValueOrDie();
  return found;
}

template <typename Array>
const Array& column(const ReadBack& found, const std::string& name) {
  return static_cast<const Array&>(*found.table->GetColumnByName(name)->chunk(0));
}

}  // namespace

TEST_CASE("a table reads back as it was, over row groups") {
  FaultFiles files;
  files.make_directory("to");
  constexpr std::int64_t kRows = 40000;  // 80 MiB of vectors
  write_rows(files, kRows);
  const ReadBack found = read_back(files);
  CHECK(found.reader->num_row_groups() > 2);
  REQUIRE(found.table->num_rows() == kRows);
  CHECK(found.table->schema()->metadata()->Get("longhaul").ValueOr("") == "{\"a\":1}");
  CHECK(found.reader->parquet_reader()->metadata()->key_value_metadata()->Contains("longhaul"));

  const auto& vectors = column<arrow::ListArray>(found, "vector");
  const auto& numbers = static_cast<const arrow::FloatArray&>(*vectors.values());
  const auto& tokens = column<arrow::ListArray>(found, "tokens");
  const auto& residues = static_cast<const arrow::ListArray&>(*tokens.values());
  const auto& residue_numbers = static_cast<const arrow::FloatArray&>(*residues.values());
  bool equal = true;
  for (std::int64_t row = 0; row < kRows; ++row) {
    const auto number = static_cast<std::uint64_t>(row);
    const bool missing = row % 7 == 6;
    equal =
        equal && column<arrow::Int64Array>(found, "row").Value(row) == row &&
        column<arrow::Int64Array>(found, "twin").IsNull(row) == (row % 2 == 1) &&
        column<arrow::BooleanArray>(found, "flag").Value(row) == (row % 3 == 0) &&
        column<arrow::DoubleArray>(found, "score").Value(row) == 0.5 * static_cast<double>(row) &&
        column<arrow::StringArray>(found, "id").GetView(row) == "id " + std::to_string(row) &&
        vectors.IsNull(row) == missing && tokens.IsNull(row) == missing;
    if (missing) {
      continue;
    }
    const std::vector<float> expected = vector_of(number);
    const std::int64_t at = vectors.value_offset(row);
    equal = equal && vectors.value_length(row) == kDimension &&
            std::equal(expected.begin(), expected.end(), numbers.raw_values() + at) &&
            tokens.value_length(row) == row % 4;
    for (std::int64_t i = 0; i < tokens.value_length(row); ++i) {
      const std::int64_t residue = tokens.value_offset(row) + i;
      equal = equal && residues.value_length(residue) == 2 &&
              residue_numbers.Value(residues.value_offset(residue)) == static_cast<float>(row);
    }
    if (!equal) {
      FAIL("row " << row);
    }
  }
  CHECK(equal);
}

TEST_CASE("a table without rows is one") {
  FaultFiles files;
  files.make_directory("to");
  write_rows(files, 0);
  const ReadBack found = read_back(files);
  CHECK(found.table->num_rows() == 0);
  CHECK(found.table->num_columns() == 7);
}

TEST_CASE("what the disk says reaches the caller, whichever write it is") {
  const Fault fault = GENERATE(Fault::kErrorOnce, Fault::kDiskFull);
  FaultFiles fine;
  fine.make_directory("to");
  fine.arm(Fault::kNone, 0);
  write_rows(fine, 20);
  const std::uint64_t operations = fine.operations();
  CHECK(operations > 10);
  // The last one is the sync, which a full disk does not fail.
  for (std::uint64_t at = 0; at + (fault == Fault::kDiskFull ? 1 : 0) < operations; ++at) {
    FaultFiles files;
    files.make_directory("to");
    files.arm(fault, at);
    INFO("operation " << at);
    CHECK_FALSE(survives([&] { write_rows(files, 20); }));
    CHECK(files.fired() > 0);
  }
}
