#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <limits>

#include "torch/graph/fused_operators.hpp"

using namespace longhaul;
using namespace longhaul::torch_room;

namespace {

const kernels::Isa kIsa = kernels::best_isa();

struct States {
  at::Tensor query, key, value;
};

// As merged layers give them: parts of one tensor, heads inside.
States states(std::int64_t rows, std::int64_t heads, std::int64_t tokens, std::int64_t width) {
  const at::Tensor wide = at::randn({rows, tokens, 3, heads, width}).permute({2, 0, 3, 1, 4});
  return {wide[0], wide[1], wide[2]};
}

// The last `padding` keys of row r are hidden, r of them more.
at::Tensor hidden_tail(std::int64_t rows, std::int64_t tokens, std::int64_t padding) {
  at::Tensor keep = at::ones({rows, 1, 1, tokens}, c10::kBool);
  for (std::int64_t r = 0; r < rows; ++r) {
    keep[r].narrow(2, tokens - padding - r, padding + r).fill_(false);
  }
  return keep;
}

double difference(const at::Tensor& left, const at::Tensor& right) {
  return (left.to(c10::kDouble) - right.to(c10::kDouble)).abs().max().item<double>();
}

}  // namespace

TEST_CASE("attention equals LibTorch's for every width, length and mask") {
  const c10::InferenceMode inference;
  at::manual_seed(1);
  for (const std::int64_t width : {4, 16, 20, 64, 80}) {
    for (const std::int64_t tokens : {5, 17, 122, 300}) {
      INFO("width " << width << " tokens " << tokens);
      const States s = states(3, 2, tokens, width);
      const at::Tensor keep = hidden_tail(3, tokens, 1);
      const at::Tensor added = keep.logical_not().to(c10::kFloat) * -30000.0;
      const auto exact = [&](const std::optional<at::Tensor>& mask) {
        return at::scaled_dot_product_attention(s.query.to(c10::kDouble), s.key.to(c10::kDouble),
                                                s.value.to(c10::kDouble), mask);
      };
      const auto ours = [&](const std::optional<at::Tensor>& mask) {
        return fused_attention(kIsa, s.query, s.key, s.value, mask, std::nullopt);
      };
      CHECK(difference(ours(std::nullopt), exact(std::nullopt)) < 4e-6);
      CHECK(difference(ours(keep), exact(keep)) < 4e-6);
      CHECK(difference(ours(added), exact(added.to(c10::kDouble))) < 4e-6);
    }
  }
}

TEST_CASE("attention takes a given scale, and leaves other masks to LibTorch") {
  const c10::InferenceMode inference;
  const States s = states(2, 2, 12, 8);
  CHECK(difference(fused_attention(kIsa, s.query, s.key, s.value, std::nullopt, 0.5),
                   at::scaled_dot_product_attention(s.query, s.key, s.value, {}, 0.0, false, 0.5)) <
        2e-6);
  const at::Tensor per_query = at::randn({2, 1, 12, 12});
  CHECK(at::equal(fused_attention(kIsa, s.query, s.key, s.value, per_query, std::nullopt),
                  at::scaled_dot_product_attention(s.query, s.key, s.value, per_query)));
}

TEST_CASE("attention in bf16 is as near to exact as bf16 allows") {
  const c10::InferenceMode inference;
  at::manual_seed(3);
  for (const std::int64_t width : {5, 6, 16, 64, 80}) {
    for (const std::int64_t tokens : {1, 5, 17, 122, 300}) {
      INFO("width " << width << " tokens " << tokens);
      States s = states(3, 2, tokens, width);
      for (at::Tensor* tensor : {&s.query, &s.key, &s.value}) {
        *tensor = tensor->to(c10::kBFloat16);
      }
      const auto error = [&](const std::optional<at::Tensor>& mask) {
        const at::Tensor ours = fused_attention(kIsa, s.query, s.key, s.value, mask, std::nullopt);
        CHECK(ours.scalar_type() == c10::kBFloat16);
        return difference(
            ours, at::scaled_dot_product_attention(s.query.to(c10::kDouble), s.key.to(c10::kDouble),
                                                   s.value.to(c10::kDouble), mask));
      };
      // Few tokens average little: half a unit in the last place of results up to 4.
      const double allowed = tokens < 100 ? 0.016 : 5e-3;
      CHECK(error(std::nullopt) < allowed);
      if (tokens > 3) {
        CHECK(error(hidden_tail(3, tokens, 1)) < allowed);
      }
    }
  }
}

TEST_CASE("padding a record further leaves its attention bit for bit as it was") {
  const c10::InferenceMode inference;
  const c10::ScalarType type = GENERATE(c10::kFloat, c10::kBFloat16);
  States s = states(2, 2, 40, 16);
  for (at::Tensor* tensor : {&s.query, &s.key, &s.value}) {
    *tensor = tensor->to(type);
  }
  const auto of_first = [&](std::int64_t tokens) {
    const at::Tensor keep = hidden_tail(2, tokens, tokens - 21);
    return fused_attention(kIsa, s.query.narrow(2, 0, tokens), s.key.narrow(2, 0, tokens),
                           s.value.narrow(2, 0, tokens), keep, std::nullopt)
        .narrow(2, 0, 20)
        .contiguous();
  };
  CHECK(at::equal(of_first(24), of_first(40)));
}

TEST_CASE("a NaN among the states stays one, and a record that sees nothing is NaN") {
  const c10::InferenceMode inference;
  const c10::ScalarType type = GENERATE(c10::kFloat, c10::kBFloat16);
  States s = states(1, 1, 10, 16);
  for (at::Tensor* tensor : {&s.query, &s.key, &s.value}) {
    *tensor = tensor->to(type);
  }
  at::Tensor value = s.value.contiguous();
  value[0][0][3][2] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor out = fused_attention(kIsa, s.query, s.key, value, std::nullopt, std::nullopt);
  CHECK(out.isnan().sum().item<std::int64_t>() == 10);
  at::Tensor key = s.key.contiguous();
  key[0][0][4][0] = std::numeric_limits<float>::quiet_NaN();
  CHECK(fused_attention(kIsa, s.query, key, s.value, std::nullopt, std::nullopt)
            .isnan()
            .all()
            .item<bool>());
  const at::Tensor nothing = at::zeros({1, 1, 1, 10}, c10::kBool);
  CHECK(fused_attention(kIsa, s.query, s.key, s.value, nothing, std::nullopt)
            .isnan()
            .all()
            .item<bool>());
}

TEST_CASE("rotary positions in one pass are to the bit what the separate operations give") {
  const c10::InferenceMode inference;
  at::manual_seed(2);
  for (const std::int64_t width : {2, 16, 64, 90}) {
    for (const std::int64_t tokens : {1, 7, 122}) {
      INFO("width " << width << " tokens " << tokens);
      const at::Tensor x = states(3, 5, tokens, width).key;
      const at::Tensor angles = at::randn({tokens, width / 2});
      const at::Tensor both = at::cat({angles, angles}, -1);
      const auto separately = [&](c10::ScalarType type) {
        const at::Tensor of = x.to(type);
        const std::vector<at::Tensor> halves = of.chunk(2, -1);
        return of * both.cos().to(type) +
               at::cat({-halves[1], halves[0]}, -1) * both.sin().to(type);
      };
      CHECK(at::equal(fused_rotation(kIsa, x, both.cos(), both.sin()), separately(c10::kFloat)));
      const at::Tensor half = fused_rotation(
          kIsa, x.to(c10::kBFloat16), both.cos().to(c10::kBFloat16), both.sin().to(c10::kBFloat16));
      CHECK(half.scalar_type() == c10::kBFloat16);
      CHECK(difference(half, separately(c10::kFloat)) <=
            2 * difference(separately(c10::kBFloat16), separately(c10::kFloat)) + 0.02);
      // A table of another form takes the general way.
      const at::Tensor table = both.cos().unsqueeze(0);
      CHECK(at::equal(fused_rotation(kIsa, x, table, both.sin()), separately(c10::kFloat)));
    }
  }
}
