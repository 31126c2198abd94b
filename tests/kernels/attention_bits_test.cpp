// A row's bits are its own, on every instruction set: wherever it stands, beside whatever, however
// far it is padded, on any number of threads.
#include <catch2/catch.hpp>
#include <thread>

#include "kernels/attention_batch.hpp"

using namespace attention_tests;

namespace {

constexpr std::uint64_t kContent = 77;  // the row that is looked at

template <typename T>
using Run = Implementation<AttentionTask<T>>;

template <typename T>
std::vector<Run<T>> runnable() {
  std::vector<Run<T>> here;
  for (const Run<T>& one : implementations<AttentionTask<T>>()) {
    if (one.runs_here()) {
      here.push_back(one);
    }
  }
  return here;
}

// The row alone, as long as it is.
template <typename T>
std::vector<std::uint32_t> alone(const Run<T>& one, std::int64_t length, std::int64_t heads,
                                 std::int64_t width) {
  const Batch<T> batch({{kContent, length}},
                       {.heads = heads, .queries = length, .keys = length, .width = width},
                       Layout::kSeparate, Bias::kNone, 0);
  one.run(batch.task(), 0, batch.pairs());
  return batch.bits(0, length);
}

// `rows` neighbours of every length, one of them NaN, and the row at `place` among them.
std::vector<Row> neighbours(std::int64_t rows, std::int64_t place, std::int64_t length,
                            std::int64_t padded) {
  std::vector<Row> all;
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto content = static_cast<std::uint64_t>(r % 3 == 1 ? 0 : 100 + r + place);
    all.push_back({content, 1 + (r * 5 + place) % padded});
  }
  all[static_cast<std::size_t>(place)] = {kContent, length};
  return all;
}

constexpr std::int64_t kWidths[] = {1, 3, 8, 16, 20, 33, 64, 80};
constexpr std::int64_t kLengths[] = {1, 2, 7, 8, 9, 16, 17, 33, 61};

}  // namespace

TEMPLATE_TEST_CASE("a row's bits do not depend on rows, place, neighbours or their padding", "",
                   float, Bfloat16) {
  for (const Run<TestType>& one : runnable<TestType>()) {
    for (const std::int64_t width : kWidths) {
      for (const std::int64_t length : kLengths) {
        const std::vector<std::uint32_t> wanted = alone(one, length, 2, width);
        for (const std::int64_t rows : {1, 2, 3, 7, 16}) {
          for (std::int64_t place = 0; place < rows; place += rows < 4 ? 1 : 5) {
            const std::int64_t padded = length + rows - 1 + place;
            const Batch<TestType> batch(
                neighbours(rows, place, length, padded),
                {.heads = 2, .queries = padded, .keys = padded, .width = width},
                place % 2 == 0 ? Layout::kMerged : Layout::kSeparate, Bias::kHidden, place);
            one.run(batch.task(), 0, batch.pairs());
            INFO(to_string(one.isa) << " width " << width << " length " << length << " rows "
                                    << rows << " place " << place << " padded " << padded);
            REQUIRE(batch.bits(place, length) == wanted);
          }
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a row's bits do not depend on how far it is padded, nor on alignment", "",
                   float, Bfloat16) {
  for (const Run<TestType>& one : runnable<TestType>()) {
    for (const std::int64_t width : {5, 16, 36, 64}) {
      for (const std::int64_t length : {1, 13, 32, 121}) {
        const std::vector<std::uint32_t> wanted = alone(one, length, 1, width);
        for (std::int64_t further = 0; further <= 40; ++further) {
          const std::int64_t padded = length + further;
          const Batch<TestType> batch(
              {{kContent, length}}, {.heads = 1, .queries = padded, .keys = padded, .width = width},
              Layout::kMerged, Bias::kHidden, further);
          one.run(batch.task(), 0, batch.pairs());
          INFO(to_string(one.isa) << " width " << width << " length " << length << " padded "
                                  << padded);
          REQUIRE(batch.bits(0, length) == wanted);
        }
      }
    }
  }
}

TEMPLATE_TEST_CASE("a row's bits do not depend on how its pairs are shared out among threads", "",
                   float, Bfloat16) {
  const Shape shape{.heads = 3, .queries = 45, .keys = 45, .width = 24};
  for (const Run<TestType>& one : runnable<TestType>()) {
    const std::vector<Row> rows = neighbours(6, 4, 37, 45);
    const Batch<TestType> whole(rows, shape, Layout::kMerged, Bias::kHidden, 0);
    one.run(whole.task(), 0, whole.pairs());
    REQUIRE(whole.bits(4, 37) == alone(one, 37, 3, 24));
    for (std::int64_t cut = 0; cut <= whole.pairs(); ++cut) {
      const Batch<TestType> shared(rows, shape, Layout::kMerged, Bias::kHidden, 0);
      std::thread other([&] { one.run(shared.task(), cut, shared.pairs()); });
      one.run(shared.task(), 0, cut);
      other.join();
      INFO(to_string(one.isa) << " cut at " << cut);
      for (std::int64_t r = 0; r < shared.count(); ++r) {
        REQUIRE(shared.bits(r, 45) == whole.bits(r, 45));
      }
    }
  }
}

TEMPLATE_TEST_CASE("what a longer record left in a thread's memory has no effect", "", float,
                   Bfloat16) {
  for (const Run<TestType>& one : runnable<TestType>()) {
    INFO(to_string(one.isa));
    const std::vector<std::uint32_t> wanted = alone(one, 27, 1, 20);
    const Batch<TestType> longer({{kAllNan, 90}},
                                 {.heads = 1, .queries = 90, .keys = 90, .width = 66},
                                 Layout::kSeparate, Bias::kNone, 0);
    one.run(longer.task(), 0, longer.pairs());
    CHECK(alone(one, 27, 1, 20) == wanted);
  }
}

TEMPLATE_TEST_CASE("a NaN stays one in its own row, and a row that sees nothing is NaN", "", float,
                   Bfloat16) {
  const Shape shape{.heads = 2, .queries = 20, .keys = 20, .width = 18};
  for (const Run<TestType>& one : runnable<TestType>()) {
    INFO(to_string(one.isa));
    const Batch<TestType> batch({{kAllNan, 20}, {kContent, 20}, {kContent, 0}}, shape,
                                Layout::kMerged, Bias::kHidden, 0);
    one.run(batch.task(), 0, batch.pairs());
    for (std::int64_t i = 0; i < shape.queries; ++i) {
      for (std::int64_t d = 0; d < shape.width; ++d) {
        CHECK(std::isnan(to_float(batch.out(0, 1, i, d))));
        CHECK(std::isfinite(to_float(batch.out(1, 1, i, d))));
        CHECK(std::isnan(to_float(batch.out(2, 1, i, d))));
      }
    }
  }
}
