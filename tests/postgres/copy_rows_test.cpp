#include "postgres/copy_rows.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "base/hash.hpp"

using namespace longhaul;
using namespace longhaul::postgres;

namespace {

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int value : values) {
    text += static_cast<char>(value);
  }
  return text;
}

}  // namespace

TEST_CASE("rows have the form of a binary COPY") {
  CopyRows rows;
  const std::vector<float> vector{1.0F, -2.0F};
  const std::vector<std::string> texts{"x", ""};
  rows.add({.number = 258, .id = "ab", .vector = vector, .texts = texts});
  rows.add({.number = 1, .id = "c", .vector = vector, .texts = texts});
  const std::string number = bytes({0, 0, 0, 0, 0, 0, 1, 2});
  const std::string numbers = bytes({0, 2, 0, 0, 0x3F, 0x80, 0, 0, 0xC0, 0, 0, 0});
  const std::string kept = bytes({0, 0, 0, 1, 'x', 0, 0, 0, 0});
  const std::string expected = std::string("PGCOPY\n\377\r\n\0", 11) + std::string(8, '\0') +
                               bytes({0, 5, 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 8}) + number +
                               bytes({0, 0, 0, 12}) + numbers + kept + bytes({255, 255});
  CHECK(rows.encoded({true, false}) == expected);
  CHECK(rows.encoded({true, true}).size() > expected.size());
  CHECK(rows.digest(0) == sha256(number + numbers + bytes({0, 0, 0, 2, 'a', 'b'}) + kept));
  CHECK(rows.digest(0) != rows.digest(1));
}

TEST_CASE("any id is one word of an array") {
  CopyRows rows;
  const std::vector<float> vector{1.0F};
  for (const char* id : {"a,b", "NULL", "", "\"\\", "{x}"}) {
    rows.add({.number = rows.count(), .id = id, .vector = vector, .texts = {}});
  }
  CHECK(rows.keys(export_room::PushKey::kId) == R"({"a,b","NULL","","\"\\","{x}"})");
  CHECK(rows.keys(export_room::PushKey::kRow) == "{0,1,2,3,4}");
  rows.clear();
  CHECK(rows.keys(export_room::PushKey::kId) == "{}");
}
