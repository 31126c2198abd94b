#include "h5/h5_sinks.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"

using namespace longhaul;
using namespace longhaul::export_room;
using namespace longhaul::fakes;

namespace {

constexpr std::uint32_t kDimension = 300;

TableSchema schema_of() {
  TableSchema schema;
  schema.columns = {{"row", CellType::kCount},
                    {"id", CellType::kText},
                    {"hash", CellType::kText},
                    {"kept", CellType::kText, false, true}};
  schema.vectors = {{"vector", ArrayKind::kVector, kDimension}};
  schema.metadata = "{}";
  return schema;
}

void put_row(TableSink& sink, std::uint64_t number, std::string_view kept) {
  const std::string id = "id " + std::to_string(number);
  const std::string hash = std::string(31, '0') + std::to_string(number % 10);
  const std::vector<float> vector(kDimension, static_cast<float>(number));
  const Cell cells[] = {number, std::string_view(id), std::string_view(hash), kept};
  const std::optional<std::span<const float>> vectors[] = {std::span<const float>(vector)};
  sink.add({cells, vectors});
}

void write(Files& files, H5Layout layout) {
  const std::string path = "to/table";
  const TableSchema schema = schema_of();
  const auto sink = h5::make_sink({&files, &path, &schema, layout, NameKey::kId});
  for (std::uint64_t row = 0; row < 2000; ++row) {
    put_row(*sink, row, "kept");
  }
  sink->finish();
}

}  // namespace

TEST_CASE("equal tables are equal files, and whatever fails is told by the file system") {
  const H5Layout layout = GENERATE(H5Layout::kRecords, H5Layout::kMatrix);
  FaultFiles reference;
  reference.make_directory("to");
  write(reference, layout);
  const std::string expected = reference.content("to/table");
  CHECK(expected.starts_with("\x89HDF"));

  const Fault fault = GENERATE(Fault::kErrorOnce, Fault::kErrorAlways, Fault::kDiskFull);
  std::uint64_t fired = 0;
  for (std::uint64_t at = 0;; at += 1 + at / 8) {
    FaultFiles files;
    files.make_directory("to");
    files.arm(fault, at);
    std::string told;
    try {
      write(files, layout);
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::kIo);
      told = error.what();
    }
    INFO("operation " << at << " " << told);
    if (files.fired() == 0) {
      CHECK(files.content("to/table") == expected);
      break;
    }
    ++fired;
    CHECK_FALSE(told.empty());
  }
  CHECK(fired > 5);
}

TEST_CASE("a file that is not finished can be left at any row") {
  FaultFiles files;
  files.make_directory("to");
  const std::string path = "to/table";
  const TableSchema schema = schema_of();
  const H5Layout layout = GENERATE(H5Layout::kRecords, H5Layout::kMatrix);
  for (const std::uint64_t rows : {0U, 1U, 700U}) {
    const auto sink = h5::make_sink({&files, &path, &schema, layout, NameKey::kId});
    for (std::uint64_t row = 0; row < rows; ++row) {
      put_row(*sink, row, "kept");
    }
  }
  write(files, layout);
  CHECK(files.content("to/table").starts_with("\x89HDF"));
}

TEST_CASE("text that HDF5 cannot hold is refused with its row, and nothing is cut short") {
  FaultFiles files;
  files.make_directory("to");
  const std::string path = "to/table";
  const TableSchema schema = schema_of();
  const H5Layout layout = GENERATE(H5Layout::kRecords, H5Layout::kMatrix);
  const std::string text = GENERATE(std::string("a\0b", 3), std::string("a\xff"));
  const auto sink = h5::make_sink({&files, &path, &schema, layout, NameKey::kId});
  put_row(*sink, 0, "kept");
  try {
    put_row(*sink, 1, text);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kBadData);
    CHECK_THAT(error.what(), Catch::Contains("row 1, column kept"));
  }
}
