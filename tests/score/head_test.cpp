#include "score/head.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "base/error.hpp"
#include "score/npy.hpp"
#include "score/npz.hpp"

using namespace longhaul;
using namespace longhaul::score;

namespace {

Head some_head() {
  Head head;
  head.coefficients = {0.1, -2.5, 1e-300, 3};
  head.intercept = -0.75;
  return head;
}

std::string error_of(const std::string& archive) {
  try {
    parse_head(archive, "h.npz");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kBadData);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a head survives its archive, bit for bit") {
  const Head head = some_head();
  const Head back = parse_head(head_bytes(head), "h.npz");
  CHECK(back.coefficients == head.coefficients);
  CHECK(back.intercept == head.intercept);
  CHECK(head_bytes(back) == head_bytes(head));
}

TEST_CASE("an archive that is not such a head is refused with the reason") {
  ZipEntries entries = read_stored_zip(head_bytes(some_head()), "h.npz");
  SECTION("an array is missing") {
    entries.erase("intercept.npy");
    CHECK_THAT(error_of(write_stored_zip(entries)), Catch::Contains("intercept"));
  }
  SECTION("three classes") {
    entries["coef.npy"] = write_npy({3, 2}, std::vector<double>(6, 1.0));
    CHECK_THAT(error_of(write_stored_zip(entries)), Catch::Contains("two-class"));
  }
  SECTION("other class names") {
    entries["classes.npy"] = write_npy({2}, std::vector<double>{1, 2});
    CHECK_THAT(error_of(write_stored_zip(entries)), Catch::Contains("classes"));
  }
  SECTION("coefficients that are not finite") {
    entries["coef.npy"] = write_npy({1, 4}, std::vector<double>{1, 2, std::nan(""), 4});
    CHECK_THAT(error_of(write_stored_zip(entries)), Catch::Contains("finite"));
  }
  SECTION("a width that contradicts n_features_in") {
    entries["coef.npy"] = write_npy({1, 3}, std::vector<double>{1, 2, 3});
    CHECK_THAT(error_of(write_stored_zip(entries)), Catch::Contains("n_features_in"));
  }
  SECTION("an object array, which would need pickle") {
    std::string& array = entries["coef.npy"];
    array.replace(array.find("<f8"), 3, "|O ");
    CHECK_THAT(error_of(write_stored_zip(entries)), Catch::Contains("its type"));
  }
  SECTION("no zip at all") {
    CHECK_THAT(error_of("hello"), Catch::Contains("zip"));
  }
}

TEST_CASE("a damaged archive never gives other numbers") {
  const std::string good = head_bytes(some_head());
  const Head head = some_head();
  std::size_t refused = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {0x01, 0x80}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      try {
        const Head read = parse_head(bad, "h.npz");
        CHECK(read.coefficients == head.coefficients);
        CHECK(read.intercept == head.intercept);
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  CHECK(refused > good.size());
  for (std::size_t size = 0; size < good.size(); ++size) {
    CHECK_THROWS_AS(parse_head(good.substr(0, size), "h.npz"), Error);
  }
}

TEST_CASE("numbers of every supported type are read as float64") {
  const auto array = [](const std::string& type, const std::string& data) {
    std::string bytes = write_npy({2}, std::vector<double>{});
    bytes.replace(bytes.find("<f8"), 3, type);
    return parse_npy(bytes + data, "a.npy").values;
  };
  using namespace std::string_literals;
  const std::vector<double> expected{1, -2};
  CHECK(array("<f2", "\x00\x3c\x00\xc0"s) == expected);
  CHECK(array("<f4", "\x00\x00\x80\x3f\x00\x00\x00\xc0"s) == expected);
  CHECK(array("<f8", "\x00\x00\x00\x00\x00\x00\xf0\x3f\x00\x00\x00\x00\x00\x00\x00\xc0"s) ==
        expected);
  CHECK(array("<i4", "\x01\x00\x00\x00\xfe\xff\xff\xff"s) == expected);
  CHECK(array("<i8", "\x01\x00\x00\x00\x00\x00\x00\x00\xfe\xff\xff\xff\xff\xff\xff\xff"s) ==
        expected);
  CHECK_THROWS_AS(array("<c8", std::string(16, '\0')), Error);
  CHECK_THROWS_WITH(array("<f4", "\x00\x00"s), Catch::Contains("instead of 8"));
}

TEST_CASE("a shape too large to be true is refused, not allocated") {
  std::string bytes = write_npy({1, 1}, std::vector<double>{1});
  bytes.replace(bytes.find("(1, 1)"), 6, "(9999999999, 9999999999)");
  CHECK_THROWS_WITH(parse_npy(bytes, "a.npy"), Catch::Contains("shape"));
}
