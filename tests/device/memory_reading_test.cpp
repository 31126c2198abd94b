#include "device/memory_reading.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace longhaul;
using namespace longhaul::device;
namespace fs = std::filesystem;

namespace {

// A small /proc and /sys.
class FakeRoot {
 public:
  FakeRoot() : path_(fs::temp_directory_path() / ("longhaul_proc_" + std::to_string(::getpid()))) {
    fs::remove_all(path_);
    put("proc/self/status",
        "Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t  3000 kB\nVmRSS:\t  2000 kB\n"
        "Threads:\t7\n");
    put("proc/meminfo",
        "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:    9000000 kB\n");
    put("proc/self/cgroup", "0::/\n");
    put("proc/self/fd/0", "");
    put("proc/self/fd/1", "");
    put("proc/self/fd/2", "");
  }
  ~FakeRoot() { fs::remove_all(path_); }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;

  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  std::string text() const { return path_.string(); }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("resident, peak, total, available, threads and files come from /proc") {
  const FakeRoot root;
  const MemoryReading reading = read_host_memory(root.text());
  CHECK(reading.rss == 2000U * 1024);
  CHECK(reading.peak_rss == 3000U * 1024);
  CHECK(reading.total == 16000000ULL * 1024);
  CHECK(reading.available == 9000000ULL * 1024);
  CHECK(reading.threads == 7U);
  CHECK(reading.open_files == 2U);  // less the one that reads the folder
  CHECK_FALSE(reading.cgroup_limit);
  CHECK_FALSE(reading.live_cpu);
}

TEST_CASE("address space counts where it is limited") {
  const FakeRoot root;
  root.put("proc/self/status", "VmSize:\t 5000 kB\nVmRSS:\t 2000 kB\n");
  root.put("proc/self/limits",
           "Limit                     Soft Limit           Hard Limit           Units     \n"
           "Max address space         unlimited            unlimited            bytes     \n");
  CHECK_FALSE(read_host_memory(root.text()).address_space_limit);
  CHECK_FALSE(read_host_memory(root.text()).address_space);
  root.put("proc/self/limits", "Max address space         9000000    18000000     bytes\n");
  CHECK(read_host_memory(root.text()).address_space_limit == 9000000U);
  CHECK(read_host_memory(root.text()).address_space == 5000U * 1024);
}

TEST_CASE("what cannot be read is empty, not zero") {
  const MemoryReading reading = read_host_memory("/nowhere/at/all");
  for (const auto& [name, value] : fields_of(reading)) {
    INFO(name);
    CHECK_FALSE(value);
  }
}

TEST_CASE("file cache does not count as used memory of a version 2 cgroup") {
  const FakeRoot root;
  root.put("proc/self/cgroup", "0::/job\n");
  root.put("sys/fs/cgroup/job/memory.max", "1000000\n");
  root.put("sys/fs/cgroup/job/memory.current", "900000\n");
  root.put("sys/fs/cgroup/job/memory.stat",
           "anon 1\ninactive_file 500000\nactive_file 100000\nworkingset_refault_file 77\n");
  const MemoryReading reading = read_host_memory(root.text());
  CHECK(reading.cgroup_limit == 1000000U);
  CHECK(reading.cgroup_used == 300000U);
}

TEST_CASE("of a cgroup and its parents the one with the least room counts") {
  const FakeRoot root;
  root.put("proc/self/cgroup", "0::/slice/job\n");
  root.put("sys/fs/cgroup/slice/job/memory.max", "1000000\n");
  root.put("sys/fs/cgroup/slice/job/memory.current", "100000\n");
  root.put("sys/fs/cgroup/slice/memory.max", "2000000\n");
  root.put("sys/fs/cgroup/slice/memory.current", "1900000\n");
  CHECK(read_host_memory(root.text()).cgroup_limit == 2000000U);
  root.put("sys/fs/cgroup/slice/memory.current", "200000\n");
  CHECK(read_host_memory(root.text()).cgroup_limit == 1000000U);
  root.put("sys/fs/cgroup/slice/job/memory.max", "max\n");
  CHECK(read_host_memory(root.text()).cgroup_limit == 2000000U);
  root.put("sys/fs/cgroup/slice/job/memory.high", "500000\n");
  CHECK(read_host_memory(root.text()).cgroup_limit == 500000U);
}

TEST_CASE("a version 1 cgroup is read by its own names, and its no-limit is no limit") {
  const FakeRoot root;
  root.put("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/a/b\n0::/\n");
  root.put("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
  root.put("sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "500\n");
  CHECK_FALSE(read_host_memory(root.text()).cgroup_limit);
  root.put("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "4096000\n");
  root.put("sys/fs/cgroup/memory/a/b/memory.usage_in_bytes", "3000000\n");
  root.put("sys/fs/cgroup/memory/a/b/memory.stat",
           "inactive_file 5\ntotal_inactive_file 1000000\ntotal_active_file 500000\n");
  const MemoryReading reading = read_host_memory(root.text());
  CHECK(reading.cgroup_limit == 4096000U);
  CHECK(reading.cgroup_used == 1500000U);
}

TEST_CASE("a container whose cgroup path is the host's uses the root of the mount") {
  const FakeRoot root;
  root.put("proc/self/cgroup", "0::/docker/0123456789\n");
  root.put("sys/fs/cgroup/memory.max", "5000000\n");
  root.put("sys/fs/cgroup/memory.current", "1000000\n");
  CHECK(read_host_memory(root.text()).cgroup_limit == 5000000U);
}

TEST_CASE("this machine can be read, and quickly enough for every batch") {
  HostMemory host;
  const MemoryReading first = host.read();
  REQUIRE(first.rss);
  CHECK(*first.rss > 100000);
  CHECK(first.peak_rss >= first.rss);
  CHECK(first.total > first.rss);
  CHECK(first.threads >= 1U);
  const auto start = std::chrono::steady_clock::now();
  constexpr int kReadings = 200;
  for (int i = 0; i < kReadings; ++i) {
    host.read();
  }
  const std::chrono::duration<double, std::micro> each =
      (std::chrono::steady_clock::now() - start) / kReadings;
  // Ten times what it takes on an idle machine.
  CHECK(each.count() < 1000);
}

TEST_CASE("memory that is touched shows in the next reading") {
  HostMemory host;
  const std::uint64_t before = host.read().rss.value();
  constexpr std::size_t kBytes = 64 << 20;
  const std::vector<char> block(kBytes, 'x');
  CHECK(host.read().rss.value() >= before + kBytes / 2);
  CHECK(block[kBytes / 3] == 'x');
}

TEST_CASE("a memory line holds every field, null where it is not known") {
  MemoryReading reading;
  reading.rss = 5;
  reading.device.driver = 7;
  const nlohmann::json line = memory_line(1.5, 10, 320, reading);
  CHECK(line["time"] == 1.5);
  CHECK(line["batch"] == 10);
  CHECK(line["records"] == 320);
  CHECK(line["rss"] == 5);
  CHECK(line["device_driver"] == 7);
  CHECK(line.contains("live"));
  CHECK(line["live"].is_null());
  CHECK(line["device_free"].is_null());
  CHECK(line.dump().find('\n') == std::string::npos);
}

TEST_CASE("the summary keeps first, last, least and greatest, and no unknown field") {
  MemorySummary summary;
  for (const std::uint64_t rss : {50U, 20U, 90U, 60U}) {
    MemoryReading reading;
    reading.rss = rss;
    summary.add(reading);
  }
  const nlohmann::json report = summary.report();
  CHECK(report["readings"] == 4);
  CHECK(report["rss"] == nlohmann::json({{"first", 50}, {"last", 60}, {"min", 20}, {"max", 90}}));
  CHECK_FALSE(report.contains("live"));
}
