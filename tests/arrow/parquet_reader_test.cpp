#include "arrow/parquet_reader.hpp"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <parquet/arrow/writer.h>

#include <catch2/catch.hpp>
#include <random>

#include "arrow/arrow_input.hpp"
#include "input/input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::arrow_room;
using namespace longhaul::input::test;

namespace {

using Lines = std::vector<std::string>;

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> array_of(const std::vector<std::optional<Value>>& values) {
  Builder builder;
  for (const auto& value : values) {
    REQUIRE((value ? builder.Append(*value) : builder.AppendNull()).ok());
  }
  return builder.Finish().ValueOrDie();
}

struct Column {
  std::string name;
  std::shared_ptr<arrow::Array> values;
};

std::string write_parquet(const std::string& path, const std::vector<Column>& columns,
                          std::int64_t group_rows = 1000) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const Column& column : columns) {
    fields.push_back(arrow::field(column.name, column.values->type()));
    arrays.push_back(column.values);
  }
  const auto table = arrow::Table::Make(arrow::schema(fields), arrays);
  auto file = arrow::io::FileOutputStream::Open(path).ValueOrDie();
  const auto keep_types = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  REQUIRE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), file, group_rows,
                                     parquet::default_writer_properties(), keep_types)
              .ok());
  REQUIRE(file->Close().ok());
  return path;
}

using Text = std::optional<std::string>;
using Number = std::optional<std::int64_t>;

Lines read(const std::string& path, input::SourceSettings settings = {}) {
  settings.path = settings.name = path;
  settings.format = input::InputFormat::kParquet;
  return drain(*open_parquet(settings));
}

std::string many_rows(const TemporaryFolder& folder, std::int64_t rows, std::int64_t group_rows) {
  arrow::StringBuilder ids;
  arrow::StringBuilder sequences;
  for (std::int64_t i = 0; i < rows; ++i) {
    REQUIRE(ids.Append("r" + std::to_string(i)).ok());
    REQUIRE(sequences.Append("MKLVW" + std::string(static_cast<std::size_t>(i % 9), 'Y')).ok());
  }
  return write_parquet(
      folder.path("many.parquet"),
      {{"id", ids.Finish().ValueOrDie()}, {"sequence", sequences.Finish().ValueOrDie()}},
      group_rows);
}

}  // namespace

TEST_CASE("Parquet columns of any text type are sequences; null and empty ones are defects") {
  const TemporaryFolder folder;
  const Lines expected = {"|MK @0:0", "| !missing_value @0:0", "| !empty @0:0", "|LV @0:0",
                          "|MK @0:0", "|M\xffK !not_utf8 @0:0"};
  const auto check = [&](const std::shared_ptr<arrow::Array>& array) {
    CAPTURE(array->type()->ToString());
    CHECK(read(write_parquet(folder.path("a.parquet"), {{"sequence", array}}, 2)) ==
          Lines(expected.begin(), expected.begin() + array->length()));
  };
  std::vector<Text> values = {"MK", std::nullopt, "", "LV", "MK"};
  check(array_of<arrow::StringDictionaryBuilder>(values));
  values.push_back("M\xffK");
  check(array_of<arrow::StringBuilder>(values));
  check(array_of<arrow::LargeStringBuilder>(values));
  check(array_of<arrow::BinaryBuilder>(values));
}

TEST_CASE("ids and kept columns of other types are text, null an empty one") {
  const TemporaryFolder folder;
  const auto ids = array_of<arrow::Int64Builder, std::int64_t>({7, std::nullopt, -1});
  const auto labels = array_of<arrow::DoubleBuilder, double>({0.5, std::nullopt, 1e300});
  const auto flags = array_of<arrow::BooleanBuilder, bool>({true, false, std::nullopt});
  arrow::ListBuilder lists(arrow::default_memory_pool(), std::make_shared<arrow::Int64Builder>());
  REQUIRE(lists.Append().ok());
  REQUIRE(static_cast<arrow::Int64Builder*>(lists.value_builder())->Append(3).ok());
  REQUIRE(lists.AppendNull().ok());
  REQUIRE(lists.AppendEmptyValue().ok());
  const auto list = lists.Finish().ValueOrDie();
  const auto path =
      write_parquet(folder.path("a.parquet"),
                    {{"unused", list},
                     {"id", ids},
                     {"flag", flags},
                     {"seq", array_of<arrow::StringBuilder, std::string>({"MK", "LV", "GG"})},
                     {"label", labels},
                     {"list", list}});
  input::SourceSettings settings;
  settings.keep_columns = {"label", "flag", "list", "set"};
  settings.listed = {std::nullopt, std::nullopt, std::nullopt, "train"};
  CHECK(read(path, settings) == Lines{"7|MK|0.5|true|[3]|train @0:0", "|LV||false||train @0:0",
                                      "-1|GG|1e+300||[]|train @0:0"});
  settings.id_column = "name";
  const auto error = thrown_by([&] { read(path, settings); });
  CHECK(error.code == 2);
  CHECK(error.says("'unused', 'id', 'flag', 'seq', 'label', 'list'"));
  settings = input::SourceSettings();
  settings.sequence_column = "id";
  CHECK(thrown_by([&] { read(path, settings); }).says("is int64, not text"));
}

TEST_CASE("reading Parquet goes on from every row as if it had not stopped") {
  const TemporaryFolder folder;
  input::InputSettings settings;
  settings.inputs = {many_rows(folder, 5000, 1700), folder.write("b.csv", "id,seq\nx,MK\ny,LV\n")};
  auto reader = open_input(settings, arrow_backends());
  const auto all = drain(*reader);
  REQUIRE(all.size() == 5002);
  CHECK(all[1700].id == "r1700");
  CHECK_FALSE(reader->progress().records_total);
  reader = open_input(settings, arrow_backends());
  auto other = open_input(settings, arrow_backends());
  for (std::size_t done = 0; done <= all.size(); ++done) {
    if (done % 331 == 0 || done % 1700 < 2 || done >= 4999) {
      CAPTURE(done);
      REQUIRE(other->seek(reader->position()));
      CHECK(other->position().position == done);
      for (std::size_t i = done; i < std::min(done + 1100, all.size()); ++i) {
        const auto record = other->next();
        REQUIRE(record);
        if (shown(*record) != shown(all[i]) || record->position != i) {
          FAIL(shown(*record));
        }
      }
    }
    reader->next();
  }
  settings.inputs.pop_back();
  reader = open_input(settings, arrow_backends());
  CHECK(reader->progress().records_total == 5000);
  drain(*reader);
  CHECK(reader->progress().bytes_read == reader->progress().bytes_total);
}

TEST_CASE("a damaged Parquet file is an error, and never anything else") {
  const TemporaryFolder folder;
  const auto path = many_rows(folder, 300, 100);
  std::ifstream stream(path, std::ios::binary);
  const std::string whole(std::istreambuf_iterator<char>(stream), {});
  for (int point = 0; point < 63; ++point) {
    const auto cut = folder.write(
        "cut.parquet", whole.substr(0, whole.size() * static_cast<std::size_t>(point) / 63));
    CHECK(thrown_by([&] { read(cut); }).code == 65);
  }
  std::mt19937 random(11);
  std::size_t errors = 0;
  for (int round = 0; round < 300; ++round) {
    std::string text = whole;
    for (int change = 0; change < 3; ++change) {
      text[random() % text.size()] = static_cast<char>(random() % 256);
    }
    const auto mutant = folder.write("mutant.parquet", text);
    const auto error = thrown_by([&] { read(mutant); });
    errors += error.code == 0 ? 0 : 1;
  }
  CHECK(errors > 50);
  CHECK(thrown_by([&] { read(folder.write("text.parquet", "id,seq\na,MK\n")); }).code == 65);
  CHECK(thrown_by([&] { read(folder.path("absent.parquet")); }).code == 74);
}
