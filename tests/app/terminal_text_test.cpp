#include "terminal_text.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace longhaul::app {
namespace {

TEST_CASE("words fill lines and a word longer than a line stays whole") {
  CHECK(filled("one two three", 7, 2, 0) == "one two\n  three");
  CHECK(filled("one two", 7, 2, 5) == "one\n  two");
  CHECK(filled("abcdefghij k", 5, 0, 0) == "abcdefghij\nk");
  CHECK(filled("a\n\nb", 80, 4, 0) == "a\n\n    b");
  CHECK(filled("", 80, 4, 0).empty());
}

TEST_CASE("a value is wrapped under itself") {
  CHECK(named_line("name", "a b", 80) == "name          a b\n");
  CHECK(named_line("name", "aaa bbb", 18) == "name          aaa\n              bbb\n");
  CHECK(named_line("a name as long as this", "b", 80) == "a name as long as this b\n");
}

TEST_CASE("a table that is too wide goes on in a second block") {
  const std::vector<std::vector<std::string>> rows{{"fold", "left", "right"}, {"0", "1", "22"}};
  CHECK(table(rows, 80) == "fold  left  right\n0        1     22\n");
  CHECK(table(rows, 11) == "fold  left\n0        1\n\nfold  right\n0        22\n");
}

TEST_CASE("a value in words") {
  using nlohmann::json;
  CHECK(in_words("text") == "text");
  CHECK(in_words(nullptr) == "-");
  CHECK(in_words(json::array()) == "none");
  CHECK(in_words({{"a", 1}, {"b", {{"c", "x"}}}}) == "a 1, b (c x)");
  CHECK(in_words(json::array({1, "two"})) == "1, two");
}

TEST_CASE("the width is COLUMNS, within reason") {
  CHECK(stdout_columns({{"COLUMNS", "100"}}) == 100);
  CHECK(stdout_columns({{"COLUMNS", "3"}}) == 40);
  CHECK(stdout_columns({{"COLUMNS", "9999"}}) == 160);
  CHECK(stdout_columns({{"COLUMNS", "wide"}}) >= 40);
}

}  // namespace
}  // namespace longhaul::app
