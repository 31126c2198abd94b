#include "input/input_digest.hpp"

#include <catch2/catch.hpp>
#include <numeric>
#include <random>
#include <vector>

#include "base/error.hpp"

using namespace longhaul;
using namespace longhaul::input;

namespace {

Record record_at(std::uint64_t position) {
  Record record;
  record.position = record.row = position;
  record.id = "r" + std::to_string(position);
  record.payload = std::string(position % 17, 'A');
  record.kept = {"x", ""};
  if (position % 5 == 3) {
    record.stamp = FileStamp{position * 100, 1700000000 + static_cast<std::int64_t>(position), 7};
  }
  return record;
}

InputHash digest_of(const std::vector<Record>& records, const InputHash& from = {}) {
  InputDigest digest(from);
  for (const Record& record : records) {
    digest.add(record);
  }
  return digest.value();
}

InputHash chain() {
  InputHash hash;
  hash.form = DigestForm::kChain;
  return hash;
}

}  // namespace

TEST_CASE("the digest is of what records hold, at their positions, and of nothing else") {
  Record a = record_at(0);
  a.payload = "MK";
  Record b = a;
  b.position = 1;
  b.id = "b";
  for (const InputHash& from : {InputHash(), chain()}) {
    CAPTURE(from.form == DigestForm::kSum);
    const InputHash both = digest_of({a, b}, from);
    CHECK(both == digest_of({a, b}, from));
    CHECK_FALSE(both == digest_of({a}, from));
    CHECK(digest_of({}, from).content == Hash128{});
    Record elsewhere = a;
    elsewhere.source = "other.csv";
    elsewhere.line = 7;
    elsewhere.byte = 70;
    elsewhere.row = 9;
    CHECK(digest_of({elsewhere, b}, from) == both);
    const auto differs = [&](auto change) {
      Record other = a;
      change(other);
      return !(digest_of({other, b}, from) == both);
    };
    CHECK(differs([](Record& r) { r.id = "r0M", r.payload = "K"; }));
    CHECK(differs([](Record& r) { r.payload = "MKx", r.kept = {"", ""}; }));
    CHECK(differs([](Record& r) { r.kept = {"", "x"}; }));
    CHECK(differs([](Record& r) { r.kept = {"x"}; }));
    CHECK(differs([](Record& r) { r.defect = Defect{Reason::kEmpty, ""}; }));
    // It goes on from its value, which is what a commit carries.
    CHECK(digest_of({b}, digest_of({a}, from)) == both);
  }
}

TEST_CASE("records that changed places make another digest") {
  std::vector<Record> records;
  for (std::uint64_t i = 0; i < 40; ++i) {
    records.push_back(record_at(i));
  }
  const InputHash whole = digest_of(records);
  for (std::size_t i = 0; i + 1 < records.size(); ++i) {
    std::vector<Record> swapped = records;
    std::swap(swapped[i], swapped[i + 1]);
    std::swap(swapped[i].position, swapped[i + 1].position);
    CHECK_FALSE(digest_of(swapped) == whole);
  }
  records.push_back(records.back());  // twice the same is another input, too
  CHECK_FALSE(digest_of(records) == whole);
}

TEST_CASE("an image counts by its size, and its time apart") {
  Record image = record_at(3);
  REQUIRE(image.stamp);
  const InputHash before = digest_of({image});
  image.payload = "moved/elsewhere.jpg";
  CHECK(digest_of({image}) == before);
  ++image.stamp->nanoseconds;
  CHECK(digest_of({image}).content == before.content);
  CHECK_FALSE(digest_of({image}).times == before.times);
  ++image.stamp->size;
  CHECK_FALSE(digest_of({image}).content == before.content);
  // No payload is taken for a size.
  Record text = image;
  text.stamp.reset();
  for (const std::string& payload : {std::string(), std::string(8, '\xff'), std::to_string(301)}) {
    text.payload = payload;
    CHECK_FALSE(digest_of({text}).content == digest_of({image}).content);
  }
}

TEST_CASE("the digests of any parts add up to the whole's") {
  std::vector<Record> records;
  for (std::uint64_t i = 0; i < 300; ++i) {
    records.push_back(record_at(i));
  }
  const InputHash whole = digest_of(records);
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    const std::size_t count = 1 + random() % 9;
    std::vector<InputDigest> parts(count);
    std::vector<Record> order = records;
    std::shuffle(order.begin(), order.end(), random);
    for (const Record& record : order) {
      parts[random() % count].add(record);
    }
    InputDigest sum;
    for (const InputDigest& part : parts) {
      sum.add(part.value());
    }
    CHECK(sum.value() == whole);
  }
}

TEST_CASE("the sum carries from its low half to its high one, and over its end to nothing") {
  constexpr std::uint64_t kMost = ~std::uint64_t{0};
  const auto sum = [](const Hash128& a, const Hash128& b) {
    InputDigest digest(InputHash{.content = a, .times = a, .form = DigestForm::kSum});
    digest.add(InputHash{.content = b, .times = b, .form = DigestForm::kSum});
    CHECK(digest.value().times == digest.value().content);
    return digest.value().content;
  };
  CHECK(sum({0, kMost}, {0, 1}) == Hash128{1, 0});
  CHECK(sum({0, kMost}, {0, kMost}) == Hash128{1, kMost - 1});
  CHECK(sum({5, kMost - 1}, {6, 1}) == Hash128{11, kMost});
  CHECK(sum({kMost, kMost}, {0, 1}) == Hash128{0, 0});
  CHECK(sum({kMost, 3}, {1, 4}) == Hash128{0, 7});
  // A record that is added to a sum carries as a part does.
  const Record record = record_at(8);
  const InputHash full{.content = {0, kMost}, .times = {}, .form = DigestForm::kSum};
  InputDigest parts(full);
  parts.add(digest_of({record}));
  CHECK(digest_of({record}, full) == parts.value());
  const Hash128 alone = digest_of({record}).content;
  REQUIRE(alone.low > 0);
  CHECK(parts.value().content == Hash128{alone.high + 1, alone.low - 1});
}

TEST_CASE("chains do not add up, and are never taken for sums") {
  const std::vector<Record> records{record_at(0), record_at(1)};
  CHECK_FALSE(digest_of(records) == digest_of(records, chain()));
  InputDigest digest;
  CHECK_THROWS_AS(digest.add(digest_of(records, chain())), Error);
  CHECK(InputDigest::in_form_of(digest_of(records, chain())).value() == chain());
}
