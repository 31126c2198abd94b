#include <catch2/catch.hpp>
#include <cmath>
#include <thread>

#include "kernels/attention_batch.hpp"
#include "kernels/norm.hpp"

using namespace attention_tests;

namespace {

struct Normed {
  Normed(std::int64_t of_width, const std::vector<std::uint64_t>& contents, std::int64_t offset)
      : width(of_width),
        rows(static_cast<std::int64_t>(contents.size())),
        x(rows * width, offset),
        weight(width, offset),
        bias(width, offset),
        out(rows * width, offset) {
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::uint64_t content = contents[static_cast<std::size_t>(r)];
      for (std::int64_t i = 0; i < width; ++i) {
        const float share = random_share(content << 32 ^ static_cast<std::uint64_t>(i));
        x.data()[r * width + i] = number<Bfloat16>(3.0F * share + static_cast<float>(content));
      }
    }
    for (std::int64_t i = 0; i < width; ++i) {
      weight.data()[i] = 1.0F + random_share(1ULL << 50 ^ static_cast<std::uint64_t>(i));
      bias.data()[i] = random_share(1ULL << 51 ^ static_cast<std::uint64_t>(i)) - 0.5F;
    }
    task.x = x.data();
    task.weight = weight.data();
    task.bias = bias.data();
    task.out = out.data();
    task.width = width;
    task.epsilon = 1e-5F;
  }

  double worst_error() const {
    double worst = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      double mean = 0;
      double variance = 0;
      for (std::int64_t i = 0; i < width; ++i) {
        mean += double{to_float(x.data()[r * width + i])} / static_cast<double>(width);
      }
      for (std::int64_t i = 0; i < width; ++i) {
        const double difference = double{to_float(x.data()[r * width + i])} - mean;
        variance += difference * difference / static_cast<double>(width);
      }
      for (std::int64_t i = 0; i < width; ++i) {
        const double exact = (double{to_float(x.data()[r * width + i])} - mean) /
                                 std::sqrt(variance + 1e-5) * double{weight.data()[i]} +
                             double{bias.data()[i]};
        const double error = std::abs(double{to_float(out.data()[r * width + i])} - exact);
        worst = std::max(worst, std::isnan(error) ? 1e9 : error / (std::abs(exact) / 256 + 1e-4));
      }
    }
    return worst;
  }

  std::vector<std::uint32_t> bits(std::int64_t row) const {
    std::vector<std::uint32_t> all;
    for (std::int64_t i = 0; i < width; ++i) {
      all.push_back(bits_of(out.data()[row * width + i]));
    }
    return all;
  }

  std::int64_t width;
  std::int64_t rows;
  Numbers<Bfloat16> x;
  Numbers<float> weight;
  Numbers<float> bias;
  Numbers<Bfloat16> out;
  NormTask task;
};

}  // namespace

TEST_CASE("layer norm is what its formula gives, on every instruction set") {
  for (const auto& one : implementations<NormTask>()) {
    if (!one.runs_here()) {
      continue;
    }
    for (const std::int64_t width : {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 320, 512, 770}) {
      const Normed normed(width, {1, 2, 8}, width % 5);
      one.run(normed.task, 0, normed.rows);
      INFO(to_string(one.isa) << " width " << width);
      CHECK(normed.worst_error() <= 1);
    }
  }
}

TEST_CASE("a row is normed alike anywhere, and on any number of threads") {
  for (const auto& one : implementations<NormTask>()) {
    if (!one.runs_here()) {
      continue;
    }
    INFO(to_string(one.isa));
    const Normed alone(37, {9}, 0);
    one.run(alone.task, 0, 1);
    for (std::int64_t cut = 0; cut <= 4; ++cut) {
      const Normed among(37, {4, 9, 5, 9}, cut);
      among.x.data()[2 * 37 + 1] = number<Bfloat16>(std::nanf(""));
      std::thread other([&] { one.run(among.task, cut, 4); });
      one.run(among.task, 0, cut);
      other.join();
      CHECK(among.bits(1) == alone.bits(0));
      CHECK(among.bits(3) == alone.bits(0));
      CHECK(std::isnan(to_float(among.out.data()[2 * 37])));
    }
  }
}
