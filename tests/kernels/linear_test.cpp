#include <algorithm>
#include <catch2/catch.hpp>
#include <thread>

#include "kernels/attention_batch.hpp"
#include "kernels/linear.hpp"

using namespace attention_tests;

namespace {

constexpr std::uint64_t kWeight = 1ULL << 50;
constexpr std::uint64_t kBias = 1ULL << 51;
constexpr std::uint64_t kOther = 1ULL << 52;

float in_range(std::uint64_t key) {
  return 4.0F * random_share(key) - 2.0F;
}

double exact_activation(Activation activation, double x) {
  switch (activation) {
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
    case Activation::kNone:
      break;
  }
  return x;
}

struct LayerSize {
  std::int64_t rows, inputs, outputs;
};

// Every number follows from its row's content and its place in the row.
class Layer {
 public:
  Layer(LayerSize size, std::vector<std::uint64_t> contents, Activation activation, bool residual,
        std::int64_t gap = 0)
      : size_(size),
        contents_(std::move(contents)),
        row_(size.inputs + gap),
        x_((size.rows - 1) * row_ + size.inputs, gap),
        weight_(size.outputs * size.inputs, 0),
        packed_(packed_size(size.outputs, size.inputs), 0),
        bias_(size.outputs, gap),
        other_(size.rows * size.outputs, gap),
        out_(size.rows * size.outputs, gap) {
    for (std::int64_t r = 0; r < size.rows; ++r) {
      const std::uint64_t content = contents_[static_cast<std::size_t>(r)] << 32;
      for (std::int64_t i = 0; i < size.inputs; ++i) {
        x_.data()[r * row_ + i] =
            number<Bfloat16>(in_range(content ^ static_cast<std::uint64_t>(i)));
      }
      for (std::int64_t o = 0; o < size.outputs; ++o) {
        other_.data()[r * size.outputs + o] =
            number<Bfloat16>(in_range(kOther ^ content ^ static_cast<std::uint64_t>(o)));
      }
    }
    for (std::int64_t i = 0; i < weight_.size(); ++i) {
      weight_.data()[i] =
          number<Bfloat16>(0.2F * in_range(kWeight ^ static_cast<std::uint64_t>(i)));
    }
    for (std::int64_t o = 0; o < size.outputs; ++o) {
      bias_.data()[o] = in_range(kBias ^ static_cast<std::uint64_t>(o));
    }
    pack_linear(weight_.data(), size.outputs, size.inputs, packed_.data());
    task.x = x_.data();
    task.x_row = row_;
    task.packed = packed_.data();
    task.bias = bias_.data();
    task.other = residual ? other_.data() : nullptr;
    task.out = out_.data();
    task.rows = size.rows;
    task.inputs = size.inputs;
    task.outputs = size.outputs;
    task.activation = activation;
  }

  // The greatest error, as a share of what rounding to bfloat16, float32 sums and the fit of gelu
  // allow.
  double worst_error() const {
    double worst = 0;
    for (std::int64_t r = 0; r < size_.rows; ++r) {
      for (std::int64_t o = 0; o < size_.outputs; ++o) {
        double sum = bias_.data()[o];
        double terms = std::abs(sum);
        for (std::int64_t i = 0; i < size_.inputs; ++i) {
          const double term = double{to_float(x_.data()[r * row_ + i])} *
                              double{to_float(weight_.data()[o * size_.inputs + i])};
          sum += term;
          terms += std::abs(term);
        }
        double exact = exact_activation(task.activation, sum);
        if (task.other != nullptr) {
          exact += double{to_float(other_.data()[r * size_.outputs + o])};
        }
        const double error = std::abs(out(r, o) - exact);
        const double allowed = std::abs(exact) / 256 + 4e-6 * terms + fit_error();
        worst = std::max(worst, std::isnan(error) ? 1e9 : error / allowed);
      }
    }
    return worst;
  }

  double out(std::int64_t r, std::int64_t o) const {
    return double{to_float(out_.data()[r * size_.outputs + o])};
  }
  std::vector<std::uint32_t> bits(std::int64_t r) const {
    std::vector<std::uint32_t> all;
    for (std::int64_t o = 0; o < size_.outputs; ++o) {
      all.push_back(bits_of(out_.data()[r * size_.outputs + o]));
    }
    return all;
  }
  void set_x(std::int64_t r, std::int64_t i, float value) {
    x_.data()[r * row_ + i] = number<Bfloat16>(value);
  }

  LinearTask task;

 private:
  double fit_error() const {
    return task.activation == Activation::kGelu || task.activation == Activation::kGeluTanh ? 6e-5
                                                                                            : 0;
  }

  LayerSize size_;
  std::vector<std::uint64_t> contents_;
  std::int64_t row_;
  Numbers<Bfloat16> x_;
  Numbers<Bfloat16> weight_;
  Numbers<Bfloat16> packed_;
  Numbers<float> bias_;
  Numbers<Bfloat16> other_;
  Numbers<Bfloat16> out_;
};

std::vector<std::uint64_t> different(std::int64_t rows) {
  std::vector<std::uint64_t> contents;
  for (std::int64_t r = 0; r < rows; ++r) {
    contents.push_back(static_cast<std::uint64_t>(10 + r));
  }
  return contents;
}

constexpr Activation kActivations[] = {Activation::kNone, Activation::kRelu, Activation::kGelu,
                                       Activation::kGeluTanh};

template <typename Use>
void on_each_set(Use use) {
  for (const auto& one : implementations<LinearTask>()) {
    if (one.runs_here()) {
      INFO(to_string(one.isa));
      use(one);
    }
  }
}

}  // namespace

TEST_CASE("a linear layer is what its products and its activation are, on every instruction set") {
  on_each_set([](const auto& one) {
    for (const std::int64_t outputs : {1, 15, 16, 17, 63, 64, 65, 130, 192}) {
      for (const std::int64_t inputs : {2, 6, 64, 322}) {
        for (const std::int64_t rows : {1, 2, 3, 4, 5, 7, 9}) {
          for (const Activation activation : kActivations) {
            const bool residual = (rows + outputs) % 2 == 0;
            Layer layer({rows, inputs, outputs}, different(rows), activation, residual, rows % 3);
            one.run(layer.task, 0, output_blocks(layer.task));
            INFO(outputs << " outputs, " << inputs << " inputs, " << rows << " rows, activation "
                         << static_cast<int>(activation) << (residual ? ", residual" : ""));
            REQUIRE(layer.worst_error() <= 1);
          }
        }
      }
    }
  });
}

TEST_CASE("a row through a linear layer has the same bits wherever it stands") {
  on_each_set([](const auto& one) {
    for (const Activation activation : {Activation::kNone, Activation::kGelu}) {
      Layer alone({1, 34, 150}, {9}, activation, true);
      one.run(alone.task, 0, output_blocks(alone.task));
      for (std::int64_t rows = 2; rows <= 9; ++rows) {
        for (std::int64_t place = 0; place < rows; ++place) {
          std::vector<std::uint64_t> contents = different(rows);
          contents[static_cast<std::size_t>(place)] = 9;
          Layer among({rows, 34, 150}, contents, activation, true, place);
          among.set_x(place == 0 ? 1 : 0, 3, std::nanf(""));
          std::thread other([&] { one.run(among.task, 1, output_blocks(among.task)); });
          one.run(among.task, 0, 1);
          other.join();
          INFO(rows << " rows, place " << place);
          REQUIRE(among.bits(place) == alone.bits(0));
        }
      }
    }
  });
}

TEST_CASE("gelu is right over its whole range, and what is not finite stays so") {
  on_each_set([](const auto& one) {
    for (const Activation activation :
         {Activation::kRelu, Activation::kGelu, Activation::kGeluTanh}) {
      // One input, whose value is the layer's result: the other weight of the pair is not used.
      Numbers<Bfloat16> packed(packed_size(1, 2), 0);
      const std::array weight{number<Bfloat16>(1), number<Bfloat16>(0)};
      pack_linear(weight.data(), 1, 2, packed.data());
      std::vector<Bfloat16> x;
      for (std::uint32_t bits = 0; bits < 1 << 16; bits += 3) {
        x.push_back({static_cast<std::uint16_t>(bits)});
        x.push_back({});
      }
      const auto rows = static_cast<std::int64_t>(x.size() / 2);
      std::vector<Bfloat16> out(static_cast<std::size_t>(rows));
      LinearTask task;
      task.x = x.data();
      task.x_row = 2;
      task.packed = packed.data();
      task.out = out.data();
      task.rows = rows;
      task.inputs = 2;
      task.outputs = 1;
      task.activation = activation;
      one.run(task, 0, 1);
      for (std::size_t r = 0; r < out.size(); ++r) {
        const double value = double{to_float(x[2 * r])};
        const double got = double{to_float(out[r])};
        INFO(value << " gives " << got);
        if (std::isnan(value)) {
          REQUIRE(std::isnan(got));
        } else if (std::isinf(value)) {
          REQUIRE((activation == Activation::kRelu || !std::isfinite(got) || value > 0));
        } else {
          const double exact = exact_activation(activation, value);
          REQUIRE(std::abs(got - exact) <=
                  std::abs(exact) / 256 + 7e-5 + 1e-5 * std::abs(value) + 1e-37);
        }
      }
    }
  });
}
