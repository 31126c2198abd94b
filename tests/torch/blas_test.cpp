// A BLAS linked before LibTorch would serve at::mm at a fraction of the machine's speed.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/ops/mkldnn_linear.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>

namespace {

template <typename Function>
double best_seconds(Function function) {
  double best = 1e9;
  for (int i = 0; i < 12; ++i) {
    const auto start = std::chrono::steady_clock::now();
    function();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    best = std::min(best, took.count());
  }
  return best;
}

}  // namespace

TEST_CASE("matrix products run at a healthy fraction of oneDNN's speed") {
  const c10::InferenceMode inference;
  if (!at::hasMKLDNN()) {
    WARN("this LibTorch has no oneDNN to compare with");
    return;
  }
  const at::Tensor left = at::rand({768, 512});
  const at::Tensor right = at::rand({1024, 512});
  const at::Tensor transposed = right.t();
  const at::Tensor packed = right.to_mkldnn();
  const at::Tensor packed_left = left.to_mkldnn();
  const double mm = best_seconds([&] { at::mm(left, transposed); });
  const double onednn = best_seconds([&] { at::mkldnn_linear(packed_left, packed); });
  const double operations = 2.0 * 768 * 512 * 1024;
  INFO("at::mm " << operations / mm / 1e9 << " GFLOP/s, oneDNN " << operations / onednn / 1e9);
  CHECK(mm < 4 * onednn);
}
