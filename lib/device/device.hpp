// A device as the run sees it: what it is called, how its memory stands, how its caches are given
// back. Implementations: lib/torch (CPU, CUDA, MPS), tests/fakes.
// One thread at a time, the encoder's, but for memory(), which any thread may call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "domain/words.hpp"

namespace longhaul::device {

// Whether this process's heap keeps what is freed (fast) or gives it back at once (small).
enum class FreedMemory { kKept, kReturned };

enum class DeviceKind { kCpu, kCuda, kMps };

}  // namespace longhaul::device

namespace longhaul {
template <>
struct Words<device::DeviceKind> {
  static constexpr Word<device::DeviceKind> all[] = {{"cpu", device::DeviceKind::kCpu},
                                                     {"cuda", device::DeviceKind::kCuda},
                                                     {"mps", device::DeviceKind::kMps}};
};
}  // namespace longhaul

namespace longhaul::device {

// Bytes as the device's own counters give them; unsigned. Nothing where the device does not say.
struct DeviceMemory {
  std::optional<std::uint64_t> allocated;       // live tensors
  std::optional<std::uint64_t> allocated_peak;  // highest `allocated` since the previous memory()
  std::optional<std::uint64_t> reserved;        // held by the allocator
  std::optional<std::uint64_t> driver;          // held by the process on the device
  std::optional<std::uint64_t> free;
  std::optional<std::uint64_t> total;
  std::optional<std::uint64_t> recommended;  // Metal's working set
  std::optional<std::uint64_t> out_of_memory_count;
  std::optional<std::uint64_t> retry_count;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual DeviceKind kind() const = 0;
  virtual std::string name() const = 0;  // "cpu", "cuda:0 NVIDIA H200", "mps"
  virtual DeviceMemory memory() const = 0;
  // Gives cached memory back to the system; on a CPU trims the heap.
  virtual void release_cache() = 0;
  virtual void synchronize() = 0;
};

}  // namespace longhaul::device
