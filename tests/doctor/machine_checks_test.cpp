#include "doctor/machine_checks.hpp"

#include <catch2/catch.hpp>

using namespace longhaul;
using namespace longhaul::doctor;

namespace {

constexpr std::uint64_t kGiB = 1U << 30;

device::MemoryReading plenty() {
  device::MemoryReading memory;
  memory.available = 20 * kGiB;
  memory.total = 32 * kGiB;
  return memory;
}

}  // namespace

TEST_CASE("a processor is fit unless something caps its kernels or it is too old") {
  CHECK(check_processor({"EPYC", {"avx2", "sse4_1"}, {}}).health == Health::kOk);
  CHECK(check_processor({"an arm64", {"asimd"}, {}}).health == Health::kOk);
  const HealthLine old = check_processor({"Atom", {"sse4_1"}, {}});
  CHECK(old.health == Health::kWarning);
  CHECK(old.said.find("AVX2") != std::string::npos);
  const HealthLine capped =
      check_processor({"EPYC", {"avx2", "sse4_1"}, {{"ATEN_CPU_CAPABILITY", "default"}}});
  CHECK(capped.health == Health::kWarning);
  CHECK(capped.said.find("ATEN_CPU_CAPABILITY=default") != std::string::npos);
  CHECK(capped.remedy.find("unset ATEN_CPU_CAPABILITY") != std::string::npos);
}

TEST_CASE("one thread of many is a warning") {
  CHECK(check_threads({2, "machine", 2}).health == Health::kOk);
  CHECK(check_threads({1, "machine", 1}).health == Health::kOk);
  CHECK(check_threads({4, "cgroup quota", 64}).health == Health::kOk);
  const HealthLine one = check_threads({1, "affinity", 64});
  CHECK(one.health == Health::kWarning);
  CHECK(one.said.find("affinity") != std::string::npos);
}

TEST_CASE("memory is what the narrowest limit leaves") {
  CHECK(check_memory(plenty()).health == Health::kOk);
  device::MemoryReading memory = plenty();
  memory.available = 1 * kGiB;
  CHECK(check_memory(memory).health == Health::kWarning);
  memory.available = kGiB / 4;
  CHECK(check_memory(memory).health == Health::kFailed);

  memory = plenty();
  memory.cgroup_limit = 8 * kGiB;
  memory.cgroup_used = 7 * kGiB;
  const HealthLine group = check_memory(memory);
  CHECK(group.health == Health::kWarning);
  CHECK(group.said.find("the cgroup") != std::string::npos);
  memory.cgroup_used = 9 * kGiB;  // more than the limit: nothing is left, and nothing wraps
  CHECK(check_memory(memory).health == Health::kFailed);

  memory = plenty();
  memory.address_space_limit = 2 * kGiB;
  memory.address_space = 2 * kGiB - 1;
  CHECK(check_memory(memory).said.find("ulimit -v") != std::string::npos);
  CHECK(check_memory(memory).health == Health::kFailed);
  CHECK(check_memory({}).health == Health::kWarning);
}

TEST_CASE("limits of the process") {
  CHECK(check_limits({}).health == Health::kOk);
  CHECK(check_limits({1024, std::nullopt, std::nullopt}).health == Health::kOk);
  CHECK(check_limits({128, std::nullopt, std::nullopt}).health == Health::kWarning);
  CHECK(check_limits({20, std::nullopt, std::nullopt}).health == Health::kFailed);
  CHECK(check_limits({1024, kGiB, std::nullopt}).remedy == "ulimit -f unlimited");
  CHECK(check_limits({1024, std::nullopt, kGiB}).remedy.find("ulimit -v") == 0);
}

TEST_CASE("closed streams") {
  CHECK(check_streams({}).health == Health::kOk);
  CHECK(check_streams({false, true}).health == Health::kFailed);
  CHECK(check_streams({true, false}).health == Health::kWarning);
}

TEST_CASE("what a check throws is its line") {
  const HealthLine line = line_of(
      "x", []() -> HealthLine { throw Error(ExitCode::kMemory, "no thread", "ulimit -u"); });
  CHECK(line.health == Health::kFailed);
  CHECK(line.name == "x");
  CHECK(line.said == "no thread");
  CHECK(line.remedy == "ulimit -u");
}
