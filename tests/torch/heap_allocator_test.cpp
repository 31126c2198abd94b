#include "torch/heap_allocator.hpp"

#include <ATen/ATen.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>

#include "torch/failure.hpp"

using namespace longhaul;

namespace {

bool is_aligned(const at::Tensor& tensor) {
  return reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % 64 == 0;
}

}  // namespace

TEST_CASE("tensors from the heap are aligned, sized as asked, and resizable") {
  allocate_tensors_from_heap();
  for (const std::int64_t bytes : {1, 7, 63, 64, 65, 4'096, 1'000'001}) {
    INFO(bytes);
    const at::Tensor tensor = at::empty({bytes}, at::kByte);
    CHECK(is_aligned(tensor));
    std::memset(tensor.data_ptr(), 0x5a, static_cast<std::size_t>(bytes));
    CHECK(tensor.clone().eq(0x5a).all().item<bool>());
  }
  at::Tensor grown = at::arange(1'000);
  grown.resize_({100'000});
  CHECK(is_aligned(grown));
  CHECK(grown.slice(0, 0, 1'000).equal(at::arange(1'000)));
  CHECK(at::empty({0}).numel() == 0);
}

TEST_CASE("a freed tensor's place serves the next one of its size") {
  allocate_tensors_from_heap();
  // Two tensors that take turns, with a small one in between that stays: with cut-off fronts in the
  // allocator's cache no place would be used twice.
  const auto address = [](const at::Tensor& tensor) {
    return reinterpret_cast<std::uintptr_t>(tensor.data_ptr());
  };
  constexpr std::int64_t kBytes = 100'000;  // below the threshold of mmap
  std::uintptr_t lowest = UINTPTR_MAX;
  std::uintptr_t highest = 0;
  for (int round = 0; round < 200; ++round) {
    const at::Tensor first = at::empty({kBytes}, at::kByte);
    const at::Tensor second = at::empty({kBytes}, at::kByte);
    for (const at::Tensor& tensor : {first, second}) {
      lowest = std::min(lowest, address(tensor));
      highest = std::max(highest, address(tensor));
    }
  }
  CHECK(highest - lowest <= 4 * kBytes);
}

TEST_CASE("what the heap cannot give is memory that ran out") {
  allocate_tensors_from_heap();
  try {
    at::empty({std::int64_t{1} << 50}, at::kByte);
    FAIL("a pebibyte was allocated");
  } catch (const std::exception& failure) {
    CHECK(classify_failure(failure) == FailureKind::kOutOfMemory);
    CHECK(failure_text(failure).find("1125899906842624 bytes") != std::string::npos);
  }
}
