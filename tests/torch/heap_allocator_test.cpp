#include "torch/process/heap_allocator.hpp"

#include <ATen/ATen.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <vector>

#include "torch/process/torch_errors.hpp"

using namespace longhaul;
using namespace longhaul::torch_room;

namespace {

// In bytes, as the limit counts it.
[[maybe_unused]] rlim_t address_space() {
  rlim_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

bool is_aligned(const at::Tensor& tensor) {
  return reinterpret_cast<std::uintptr_t>(tensor.data_ptr()) % 64 == 0;
}

}  // namespace

TEST_CASE("tensors from the heap are aligned, sized as asked, and resizable") {
  allocate_tensors_from_heap(0);
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
  allocate_tensors_from_heap(0);
  // Two tensors that take turns, with a small one in between that stays: with cut-off fronts in the
  // allocator's cache no place would be used twice.
  const auto address = [](const at::Tensor& tensor) {
    return reinterpret_cast<std::uintptr_t>(tensor.data_ptr());
  };
  constexpr std::int64_t kBytes = 100'000;  // below the threshold of mmap
  // Places that other tests left free, anywhere in the heap, are taken first.
  std::vector<at::Tensor> taken;
  for (int i = 0; i < 500; ++i) {
    taken.push_back(at::empty({kBytes}, at::kByte));
  }
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
  allocate_tensors_from_heap(0);
  try {
    at::empty({std::int64_t{1} << 50}, at::kByte);
    FAIL("a pebibyte was allocated");
  } catch (const std::exception& failure) {
    CHECK(classify_failure(failure) == FailureKind::kOutOfMemory);
    CHECK(failure_text(failure).find("1125899906842624 bytes") != std::string::npos);
  }
}

#if defined(__linux__)
TEST_CASE("a tensor that would leave less than the reserve is refused") {
  constexpr std::int64_t kMiB = 1 << 20;
  rlimit unlimited{};
  REQUIRE(getrlimit(RLIMIT_AS, &unlimited) == 0);
  const auto fits = [](std::int64_t bytes) {
    try {
      at::empty({bytes}, at::kByte);
      return true;
    } catch (const std::exception& failure) {
      CHECK(classify_failure(failure) == FailureKind::kOutOfMemory);
      return false;
    }
  };
  rlimit limit = unlimited;
  limit.rlim_cur = address_space() + 640 * kMiB;
  REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
  allocate_tensors_from_heap(0);
  const bool without_reserve = fits(400 * kMiB);
  allocate_tensors_from_heap(320 * kMiB);
  const bool large = fits(400 * kMiB);
  const bool small = fits(160 * kMiB);
  REQUIRE(setrlimit(RLIMIT_AS, &unlimited) == 0);
  const bool without_limit = fits(400 * kMiB);
  allocate_tensors_from_heap(0);
  CHECK(without_reserve);
  CHECK_FALSE(large);
  CHECK(small);
  CHECK(without_limit);
}
#endif
