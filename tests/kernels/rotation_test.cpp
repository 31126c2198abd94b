#include <catch2/catch.hpp>
#include <thread>

#include "kernels/attention_batch.hpp"
#include "kernels/rotation.hpp"

using namespace attention_tests;

namespace {

struct Size {
  std::int64_t rows, heads, tokens, width;
  std::int64_t numbers() const { return rows * heads * tokens * width; }
};

// What a number is rounded to, to nearest and ties to even.
float rounded(float value, float) {
  return value;
}
float rounded(float value, Bfloat16) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t cut = bits & 0xFFFF0000U;
  const std::uint32_t rest = bits & 0xFFFFU;
  const bool up = rest > 0x8000U || (rest == 0x8000U && (cut & 0x10000U) != 0);
  return std::bit_cast<float>(up ? cut + 0x10000U : cut);
}

template <typename T>
struct Rotated {
  // x as [rows, tokens, heads, width] with a gap after each head and token; every number from its
  // place in the row, so that rows are alike but for `contents`.
  Rotated(Size of, std::vector<std::uint64_t> contents, std::int64_t offset)
      : size(of),
        head(size.width + 3),
        token(size.heads * head + 5),
        x(size.rows * size.tokens * token, offset),
        cos(size.tokens * size.width, offset),
        sin(size.tokens * size.width, offset),
        out(size.numbers(), offset) {
    for (std::int64_t r = 0; r < size.rows; ++r) {
      for (std::int64_t i = 0; i < size.tokens * token; ++i) {
        x.data()[r * size.tokens * token + i] =
            value(contents[static_cast<std::size_t>(r)] << 32 ^ static_cast<std::uint64_t>(i));
      }
    }
    for (std::int64_t i = 0; i < size.tokens * size.width; ++i) {
      cos.data()[i] = value(1ULL << 50 ^ static_cast<std::uint64_t>(i));
      sin.data()[i] = value(1ULL << 51 ^ static_cast<std::uint64_t>(i));
    }
    task.x = {x.data(), size.tokens * token, head, token};
    task.cos = cos.data();
    task.sin = sin.data();
    task.out = out.data();
    task.heads = size.heads;
    task.tokens = size.tokens;
    task.width = size.width;
  }

  static T value(std::uint64_t key) { return number<T>(4.0F * random_share(key) - 2.0F); }

  // The operations one by one, each rounded to float32; the result to T.
  bool is_right() const {
    const std::int64_t half = size.width / 2;
    for (std::int64_t at = 0; at < size.numbers(); ++at) {
      const std::int64_t d = at % size.width;
      const std::int64_t which = at / size.width % size.heads;
      const std::int64_t place = at / size.width / size.heads;
      const T* numbers = x.data() + place * token + which * head;
      const std::int64_t angle = place % size.tokens * size.width + d;
      const float across = d < half ? -to_float(numbers[d + half]) : to_float(numbers[d - half]);
      const volatile float straight = to_float(numbers[d]) * to_float(cos.data()[angle]);
      const volatile float turned = across * to_float(sin.data()[angle]);
      if (to_float(out.data()[at]) != rounded(straight + turned, T{})) {
        return false;
      }
    }
    return true;
  }

  std::vector<std::uint32_t> bits(std::int64_t row) const {
    std::vector<std::uint32_t> all;
    const std::int64_t numbers = size.numbers() / size.rows;
    for (std::int64_t i = 0; i < numbers; ++i) {
      all.push_back(bits_of(out.data()[row * numbers + i]));
    }
    return all;
  }

  Size size;
  std::int64_t head;  // strides of x
  std::int64_t token;
  Numbers<T> x;
  Numbers<T> cos;
  Numbers<T> sin;
  Numbers<T> out;
  RotationTask<T> task;
};

}  // namespace

TEMPLATE_TEST_CASE("rotation is to the bit what its operations give, on every instruction set", "",
                   float, Bfloat16) {
  for (const auto& one : implementations<RotationTask<TestType>>()) {
    if (!one.runs_here()) {
      continue;
    }
    for (std::int64_t width = 2; width <= 130; width += 2) {
      for (const std::int64_t tokens : {1, 7, 122}) {
        const Rotated<TestType> rotated({2, 3, tokens, width}, {1, 2}, width % 16);
        one.run(rotated.task, 0, 2 * tokens);
        INFO(to_string(one.isa) << " width " << width << " tokens " << tokens);
        CHECK(rotated.is_right());
      }
    }
    for (std::int64_t tokens = 1; tokens <= 600; tokens += 13) {
      const Rotated<TestType> rotated({1, 2, tokens, 16}, {3}, tokens % 16);
      one.run(rotated.task, 0, tokens);
      INFO(to_string(one.isa) << " tokens " << tokens);
      CHECK(rotated.is_right());
    }
  }
}

TEMPLATE_TEST_CASE("a row is rotated alike anywhere, and on any number of threads", "", float,
                   Bfloat16) {
  for (const auto& one : implementations<RotationTask<TestType>>()) {
    if (!one.runs_here()) {
      continue;
    }
    INFO(to_string(one.isa));
    const Rotated<TestType> alone({1, 3, 29, 34}, {9}, 0);
    one.run(alone.task, 0, 29);
    for (std::int64_t offset = 0; offset < 16; ++offset) {
      const Rotated<TestType> among({4, 3, 29, 34}, {4, 9, 5, 9}, offset);
      const std::int64_t cut = 7 * offset;
      std::thread other([&] { one.run(among.task, cut, 4 * 29); });
      one.run(among.task, 0, cut);
      other.join();
      CHECK(among.bits(1) == alone.bits(0));
      CHECK(among.bits(3) == alone.bits(0));
      CHECK(among.bits(0) != alone.bits(0));
    }
  }
}
