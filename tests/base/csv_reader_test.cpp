#include "base/csv_reader.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using namespace longhaul;

namespace {

// Lines of a text, each with its LF.
class TextLines : public CsvLines {
 public:
  explicit TextLines(std::string text) : text_(std::move(text)) {}
  bool next(CsvLine& line) override {
    if (at_ == text_.size()) {
      return false;
    }
    const std::size_t end = text_.find('\n', at_);
    current_ = text_.substr(at_, end - at_);  // gone at the next call, as real lines are
    line = {current_, "\n", ++number_};
    at_ = end + 1;
    return true;
  }

 private:
  std::string text_;
  std::string current_;
  std::size_t at_ = 0;
  std::uint64_t number_ = 0;
};

CsvReader table(const std::string& text, const std::string& remedy = {}) {
  return {std::make_unique<TextLines>(text), "t.csv", remedy};
}

std::vector<std::string> fields(const CsvReader& reader) {
  return {reader.fields().begin(), reader.fields().end()};
}

// What the second record of the table is refused with; it must be possible to go on behind it.
std::pair<std::string, std::string> refused(const std::string& record, bool goes_on = true) {
  CsvReader reader = table("a,b\n" + record + "1,2\n");
  std::pair<std::string, std::string> said;
  try {
    reader.next();
    FAIL("was read");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kBadData);
    said = {error.what(), error.remedy()};
  }
  if (goes_on) {
    REQUIRE(reader.next());
    CHECK(fields(reader) == std::vector<std::string>{"1", "2"});
  }
  return said;
}

}  // namespace

TEST_CASE("a table is read with the line of each record") {
  CsvReader reader = table("id,text\n\na,\"x,\"\"y\"\"\n\nz\"\nb,pl\"ain\n");
  CHECK(reader.columns() == std::vector<std::string>{"id", "text"});
  REQUIRE(reader.next());
  CHECK(reader.line() == 3);
  CHECK(fields(reader) == std::vector<std::string>{"a", "x,\"y\"\n\nz"});
  REQUIRE(reader.next());
  CHECK(reader.where() == "t.csv, line 6");
  CHECK(fields(reader) == std::vector<std::string>{"b", "pl\"ain"});
  CHECK_FALSE(reader.next());
}

TEST_CASE("columns are found by name, unless two have it") {
  const CsvReader reader = table("a,b,b\n");
  CHECK(reader.find("a") == 0U);
  CHECK(reader.find("c") == std::nullopt);
  CHECK_THROWS_WITH(reader.find("b"), Catch::Contains("two columns named 'b'"));
}

TEST_CASE("a record that does not fit is refused with its line, and the next one is read") {
  CHECK(refused("1\n").first == "t.csv, line 2: 1 fields where the header has 2");
  CHECK(refused("1,2,3\n").second == "check the quoting and the separators of that line");
  CHECK(refused("1,\"2\"x\n").first == "t.csv, line 2: there is text after a closing quote");
  CHECK(refused("1,\"2\n", false).first == "t.csv, line 2: a quote opened here never closes");
}

TEST_CASE("a table without a header is refused") {
  CHECK_THROWS_WITH(table(""), Catch::Contains("is empty: no header line"));
}

TEST_CASE("of a table that the user did not write, the remedy is its owner's") {
  CsvReader reader = table("a,b\n1\n", "restore it");
  try {
    reader.next();
    FAIL("was read");
  } catch (const Error& error) {
    CHECK(error.remedy() == "restore it");
  }
}

TEST_CASE("records of any width are for who judges them") {
  CsvReader reader = table("a,b\n1,2,3\n");
  REQUIRE(reader.next_of_any_width());
  CHECK(fields(reader).size() == 3);
}
