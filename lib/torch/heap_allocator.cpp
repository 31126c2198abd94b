#include "torch/heap_allocator.hpp"

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <cstdint>
#include <cstdlib>
#include <limits>

namespace longhaul {
namespace {

constexpr std::size_t kAlignment = 64;  // as LibTorch's own: a cache line, the widest vector

// Before the data stands the address that malloc() gave.
void*& block_of(void* data) {
  return static_cast<void**>(data)[-1];
}

void* allocate_aligned(std::size_t bytes) {
  constexpr std::size_t kSlack = kAlignment + sizeof(void*);
  if (bytes > std::numeric_limits<std::size_t>::max() - kSlack) {
    return nullptr;
  }
  void* const block = std::malloc(bytes + kSlack);
  if (block == nullptr) {
    return nullptr;
  }
  const auto first = reinterpret_cast<std::uintptr_t>(block) + sizeof(void*);
  const std::uintptr_t aligned = (first + kAlignment - 1) / kAlignment * kAlignment;
  void* const data =
      static_cast<char*>(block) + (aligned - reinterpret_cast<std::uintptr_t>(block));
  block_of(data) = block;
  return data;
}

void free_aligned(void* data) {
  if (data != nullptr) {
    c10::profiledCPUMemoryReporter().Delete(data);
    std::free(block_of(data));
  }
}

class HeapAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) {
      return {nullptr, nullptr, &free_aligned, c10::Device(c10::kCPU)};
    }
    void* const data = allocate_aligned(bytes);
    if (data == nullptr) {
      c10::profiledCPUMemoryReporter().OutOfMemory(bytes);
      TORCH_CHECK_WITH(OutOfMemoryError, false,
                       "DefaultCPUAllocator: not enough memory: you tried to allocate ", bytes,
                       " bytes.");
    }
    c10::profiledCPUMemoryReporter().New(data, bytes);
    return {data, data, &free_aligned, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &free_aligned; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

}  // namespace

void allocate_tensors_from_heap() {
  static HeapAllocator allocator;
  c10::SetCPUAllocator(&allocator);
}

}  // namespace longhaul
