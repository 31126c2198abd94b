#include "torch/process/heap_allocator.hpp"

#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <sys/mman.h>

#include <cstdlib>
#include <limits>
#include <memory>

namespace longhaul::torch_room {
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
  void* data = static_cast<void**>(block) + 1;
  std::size_t room = bytes + kAlignment;
  std::align(kAlignment, bytes, data, room);
  block_of(data) = block;
  return data;
}

bool is_left(std::size_t bytes) {
  void* const room =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return room != MAP_FAILED && munmap(room, bytes) == 0;
}

void free_aligned(void* data) {
  if (data != nullptr) {
    c10::profiledCPUMemoryReporter().Delete(data);
    std::free(block_of(data));
  }
}

class HeapAllocator : public c10::Allocator {
 public:
  explicit HeapAllocator(std::size_t reserve) : reserve_(reserve) {}

  c10::DataPtr allocate(std::size_t bytes) override {
    if (bytes == 0) {
      return {nullptr, nullptr, &free_aligned, c10::Device(c10::kCPU)};
    }
    void* data = allocate_aligned(bytes);
    if (data != nullptr && reserve_ != 0 && !is_left(reserve_)) {
      std::free(block_of(data));
      data = nullptr;
    }
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

 private:
  const std::size_t reserve_;
};

}  // namespace

void allocate_tensors_from_heap(std::size_t reserve) {
  // Tensors outlive every scope: it is never destroyed.
  c10::SetCPUAllocator(new HeapAllocator(reserve));
}

}  // namespace longhaul::torch_room
