#include "plan/model_memory_check.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using namespace longhaul;
using namespace longhaul::plan;

namespace {

constexpr std::uint64_t kGiB = 1ULL << 30;

device::MemoryReading machine() {
  device::MemoryReading reading;
  reading.rss = kGiB;
  reading.total = 32 * kGiB;
  reading.available = 20 * kGiB;
  return reading;
}

std::string refusal(std::uint64_t model, const device::MemoryReading& reading,
                    std::optional<std::uint64_t> limit = std::nullopt) {
  try {
    require_room_for_model(model, reading, limit);
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kMemory);
    CHECK_FALSE(error.remedy().empty());
    return error.what();
  }
}

}  // namespace

TEST_CASE("a model that fits is not refused, nor one about which nothing is known") {
  CHECK(refusal(9 * kGiB, machine()).empty());
  CHECK(refusal(9 * kGiB, machine(), 20 * kGiB).empty());
  CHECK(refusal(9000 * kGiB, {}).empty());
}

TEST_CASE("a model that cannot fit is refused with the figures") {
  CHECK(refusal(3 * kGiB, machine(), 6 * kGiB) ==
        "the model cannot be loaded: it needs about 6.0 GiB of memory (2 copies of 3.0 GiB while "
        "loading) and the memory limit leaves 5.0 GiB (1.0 GiB of 6.0 GiB in use)");
  CHECK(refusal(11 * kGiB, machine()).find("this machine leaves 20.0 GiB") != std::string::npos);
  device::MemoryReading reading = machine();
  reading.cgroup_limit = 8 * kGiB;
  reading.cgroup_used = 3 * kGiB;
  CHECK(refusal(3 * kGiB, reading).find("the cgroup's limit leaves 5.0 GiB") != std::string::npos);
  reading = machine();
  reading.address_space_limit = 8 * kGiB;
  reading.address_space = 3 * kGiB;
  CHECK(refusal(3 * kGiB, reading).find("address space leaves 5.0 GiB") != std::string::npos);
}
