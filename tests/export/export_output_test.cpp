#include "export/export_output.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "export/output_table.hpp"
#include "fakes/fault_files.hpp"
#include "store/checked_rows.hpp"
#include "store/record_csv.hpp"
#include "store/store_driver.hpp"

using namespace longhaul;
using namespace longhaul::export_room;
using namespace longhaul::fakes;
using namespace longhaul::store::test;

namespace {

std::string in_words(const Cell& cell) {
  if (const auto* text = std::get_if<std::string_view>(&cell)) {
    return std::string(*text);
  }
  if (const auto* count = std::get_if<std::uint64_t>(&cell)) {
    return std::to_string(*count);
  }
  if (const auto* flag = std::get_if<bool>(&cell)) {
    return *flag ? "true" : "false";
  }
  return "";
}

std::string in_words(std::span<const float> numbers) {
  std::string text;
  for (const float number : numbers) {
    text += ' ' + short_number(double{number});
  }
  return text;
}

// A table as lines of text, written as they come.
class TextSink : public TableSink {
 public:
  TextSink(Files& files, const std::string& path, const TableSchema& schema)
      : file_(files.open(path, OpenMode::kCreate)) {
    std::string header;
    for (const Column& column : schema.columns) {
      header += column.name + '|';
    }
    for (const VectorColumn& column : schema.vectors) {
      header += column.name + '|';
    }
    put(header);
  }
  void add(const TableRow& row) override {
    std::string line;
    for (const Cell& cell : row.cells) {
      line += csv_field(in_words(cell)) + ',';
    }
    for (const auto& vector : row.vectors) {
      line += (vector ? in_words(*vector) : "none") + '|';
    }
    std::replace(line.begin(), line.end(), '\n', ' ');
    put(line);
  }
  void finish() override {
    put("end");
    file_->sync();
  }

 private:
  void put(const std::string& line) {
    file_->write_at(at_, bytes_of(line + '\n'));
    at_ += line.size() + 1;
  }

  std::unique_ptr<File> file_;
  std::uint64_t at_ = 0;
};

void prepare(Files& files, const DriverPlan& plan = {}) {
  drive(files, "out", plan);
  files.make_directory("to");
}

ExportContext context_of(Files& files) {
  return {files,
          [](Files& to, const std::string& path, const TableSchema& schema) {
            return std::make_unique<TextSink>(to, path, schema);
          },
          "process 1",
          [] { return false; },
          [](std::uint64_t, std::uint64_t) {},
          [](const std::string&) {}};
}

ExportSummary export_all(Files& files, const ExportRequest& request) {
  return export_output(store::open_finished(files, "out"), request, context_of(files));
}

ExportRequest to_table(bool all = false) {
  return {.file = "to/table",
          .ending = ".txt",
          .all = all,
          .rows_per_file = std::nullopt,
          .array = "",
          .names = std::nullopt};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

template <typename Work>
Error error_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  return {ExitCode::kInternal, ""};
}

void edit(FaultFiles& files, const std::string& name, std::size_t at) {
  std::string content = files.content("out/" + name);
  content.at(at < content.size() ? at : content.size() - 1) ^= 1;
  files.set_content("out/" + name, content);
}

}  // namespace

TEST_CASE("every row that is ok is exported, with its cells and its numbers of every array") {
  FaultFiles files;
  const DriverPlan plan = plan_of_three_outputs();
  prepare(files, plan);
  const bool all = GENERATE(false, true);
  const ExportSummary done = export_all(files, to_table(all));
  const std::vector<std::string> lines = lines_of(files.content("to/table"));

  const store::OutputReader output(files, "out");
  store::RecordCursor records = output.records();
  std::size_t line = 1;
  std::uint64_t left_out = 0;
  for (RecordRow record; records.next(record);) {
    if (!all && record.status != Status::kOk) {
      ++left_out;
      continue;
    }
    std::string expected = store::records_line(output.layout(), record);
    expected.back() = ',';
    std::replace(expected.begin(), expected.end(), '\n', ' ');
    for (std::size_t i = 0; i < plan.layout.outputs.size(); ++i) {
      const std::vector<float> numbers = expected_numbers(plan, i, record.row);
      const bool none = record.status == Status::kRejected;
      expected += (none ? "none" : in_words(numbers)) + '|';
    }
    CHECK(lines.at(line++) == expected);
  }
  CHECK(lines.at(line) == "end");
  CHECK(done.rows + done.rejected + done.duplicates == plan.records);
  CHECK(done.rejected + done.duplicates == left_out);
  CHECK((all ? done.without : left_out) > 0);
}

TEST_CASE("the cells are the columns of records.csv, and names are given once") {
  FaultFiles files;
  DriverPlan plan;
  plan.layout.kept_columns = {"vector", "input.vector"};
  prepare(files, plan);
  const store::OutputReader output = store::open_finished(files, "out");
  const TableSchema schema = output_schema(output, false, {0});
  std::vector<std::string> names;
  for (const Column& column : schema.columns) {
    names.push_back(column.name);
  }
  std::vector<std::string> expected = store::record_columns(output.layout());
  REQUIRE(expected.size() == names.size());
  CHECK(names[names.size() - 2] == "input.vector");
  CHECK(names.back() == "input.input.vector");
  std::copy(names.end() - 2, names.end(), expected.end() - 2);
  CHECK(names == expected);
  store::RecordCursor records = output.records();
  RecordCells cells(output.layout());
  for (RecordRow record; records.next(record);) {
    REQUIRE(cells.of(record).size() == schema.columns.size());
  }
}

TEST_CASE("rows are split over files, and a folder of them is complete or not there") {
  FaultFiles files;
  prepare(files);
  ExportRequest request = to_table();
  request.rows_per_file = 7;
  const ExportSummary done = export_all(files, request);
  const std::vector<std::string> names = files.list("to/table");
  CHECK(names.front() == "part-00000.txt");
  CHECK(names.size() == (done.rows + 6) / 7);
  CHECK(names.size() > 1);
  std::size_t rows = 0;
  for (const std::string& name : names) {
    rows += lines_of(files.content("to/table/" + name)).size() - 2;
  }
  CHECK(rows == done.rows);
}

TEST_CASE("a table is whole or not there, whatever fails and whenever the power goes") {
  FaultFiles fine;
  prepare(fine);
  ExportRequest request = to_table();
  const bool folder = GENERATE(false, true);
  if (folder) {
    request.rows_per_file = 8;
  }
  const std::string probe = folder ? "to/table/part-00001.txt" : "to/table";
  const Fault fault = GENERATE(Fault::kErrorOnce, Fault::kDiskFull, Fault::kPowerLoss);
  FaultFiles reference = fine;
  export_all(reference, request);
  const std::string expected = reference.content(probe);

  std::uint64_t fired = 0;
  for (std::uint64_t at = 0;; ++at) {
    FaultFiles files;
    prepare(files);
    files.arm(fault, at);
    const bool done = survives([&] { export_all(files, request); });
    const bool reached = files.fired() > 0;
    fired += reached ? 1 : 0;
    files.restart(Survival::kRandom, static_cast<unsigned>(at));
    INFO("operation " << at);
    if (files.exists("to/table")) {
      CHECK(files.content(probe) == expected);
    } else {
      CHECK(!(done && fault == Fault::kErrorOnce && !reached));
      export_all(files, request);
      CHECK(files.content(probe) == expected);
    }
    CHECK_FALSE(files.exists("to/table.longhaul-export"));
    if (!reached) {
      CHECK(done);
      break;
    }
  }
  CHECK(fired > 10);
}

TEST_CASE("what is there is not overwritten, and what a kill left is taken over") {
  FaultFiles files;
  prepare(files);
  files.set_content("to/table", "mine");
  CHECK(error_of([&] { export_all(files, to_table()); }).code() == ExitCode::kUsage);
  CHECK(files.content("to/table") == "mine");
  files.remove("to/table");
  files.set_content("to/table.longhaul-export", std::string(100000, 'x'));
  export_all(files, to_table());
  CHECK(lines_of(files.content("to/table")).back() == "end");
  CHECK_FALSE(files.exists("to/table.longhaul-export"));
}

TEST_CASE("files of others beside the new one stay") {
  FaultFiles files;
  prepare(files);
  files.set_content("to/table.partial", "a download");
  files.set_content("to/table.lock", "a program's");
  export_all(files, to_table());
  CHECK(files.content("to/table.partial") == "a download");
  CHECK(files.content("to/table.lock") == "a program's");
}

TEST_CASE("of a folder that a kill left only our files are removed") {
  FaultFiles files;
  prepare(files);
  ExportRequest request = to_table();
  request.rows_per_file = 3;
  const std::string folder = "to/table.longhaul-export/";
  files.make_directory("to/table.longhaul-export");
  files.set_content(folder + "part-00000" + request.ending, "half");
  files.set_content(folder + "part-100000" + request.ending, "half");
  SECTION("nothing else is there") {
    export_all(files, request);
    CHECK(files.exists("to/table/part-00000" + request.ending));
    CHECK_FALSE(files.exists("to/table/part-100000" + request.ending));
  }
  SECTION("something else is there") {
    const std::string name = GENERATE("notes.txt", "part-0001", "part-0000x", "part-00001.other");
    files.set_content(folder + name, "mine");
    const Error error = error_of([&] { export_all(files, request); });
    CHECK(error.code() == ExitCode::kIo);
    CHECK(files.content(folder + name) == "mine");
    CHECK_FALSE(files.exists("to/table"));
  }
}

TEST_CASE("an export that another process writes is not disturbed") {
  FaultFiles files;
  prepare(files);
  const auto lock = files.lock("to/table.longhaul-export.lock", "", std::nullopt);
  files.set_content("to/table.longhaul-export.lock", "process 7");
  const Error error = error_of([&] { export_all(files, to_table()); });
  CHECK(error.code() == ExitCode::kUnavailable);
  CHECK_THAT(error.what(), Catch::Contains("process 7"));
}

TEST_CASE("a stop leaves nothing behind") {
  FaultFiles files;
  prepare(files);
  ExportContext context = context_of(files);
  context.stop = [calls = 0]() mutable { return ++calls > 5; };
  const store::OutputReader output = store::open_finished(files, "out");
  CHECK(error_of([&] { export_output(output, to_table(), context); }).code() ==
        ExitCode::kInterrupted);
  CHECK_FALSE(files.exists("to/table"));
  CHECK_FALSE(files.exists("to/table.longhaul-export"));
}

TEST_CASE("a byte that is not what the run wrote is found, wherever it stands") {
  FaultFiles files;
  prepare(files, plan_of_three_outputs());
  const auto [name, at] = GENERATE(table<std::string, std::size_t>({
      {"embeddings.npy", 128 + 5 * 4 * 9},
      {"tokens.npy", 200},
      {"tokens.npy", 20},
      {"token_offsets.npy", 128 + 8 * 4},
      {"checksums.npy", 128 + 8 * 9},
      {"records.csv", 150},
      {"rejects.csv", 60},
      {"run.json", 0},
      {"embeddings.npy", 10},
  }));
  INFO(name << " " << at);
  edit(files, name, at);
  const Error error = error_of([&] { export_all(files, to_table()); });
  CHECK(error.code() == ExitCode::kBadData);
  CHECK_THAT(error.remedy(), Catch::Contains("longhaul verify"));
  CHECK_FALSE(files.exists("to/table"));
  CHECK_FALSE(files.exists("to/table.longhaul-export"));
}

TEST_CASE("a file that ends early is found") {
  FaultFiles files;
  prepare(files);
  const std::string name = GENERATE("embeddings.npy", "checksums.npy", "records.csv");
  std::string content = files.content("out/" + name);
  files.set_content("out/" + name, content.substr(0, content.size() - 3));
  CHECK(error_of([&] { export_all(files, to_table()); }).code() == ExitCode::kBadData);
}

TEST_CASE("what is no finished output is refused with what to do") {
  FaultFiles files;
  SECTION("not begun") {
    files.make_directory("out");
    CHECK(error_of([&] { store::open_finished(files, "out"); }).code() == ExitCode::kMismatch);
  }
  SECTION("shards that are not merged") {
    files.make_directory("out");
    files.make_directory("out/shards");
    files.set_content("out/shards/choices.json", "{}");
    const Error error = error_of([&] { store::open_finished(files, "out"); });
    CHECK(error.code() == ExitCode::kInterrupted);
    CHECK_THAT(error.remedy(), Catch::Contains("longhaul merge out"));
  }
  SECTION("being written") {
    prepare(files);
    const auto lock = files.lock("out/longhaul.lock", "", std::nullopt);
    files.set_content("out/longhaul.lock", "process 9");
    const Error error = error_of([&] { store::open_finished(files, "out"); });
    CHECK(error.code() == ExitCode::kUnavailable);
    CHECK_THAT(error.what(), Catch::Contains("process 9"));
  }
  SECTION("stopped half-way") {
    files.arm(Fault::kErrorAlways, 30);
    CHECK_FALSE(survives([&] { prepare(files); }));
    files.end_process();
    CHECK(error_of([&] { store::open_finished(files, "out"); }).code() == ExitCode::kInterrupted);
  }
}
