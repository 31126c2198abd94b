#include "device/processor_share.hpp"

#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

namespace longhaul::device {
namespace {

namespace fs = std::filesystem;

// A root with /proc/self/cgroup and files of cgroups.
class Root {
 public:
  explicit Root(const std::string& groups)
      : path_(fs::temp_directory_path() / ("longhaul-share-" + std::to_string(getpid()))) {
    fs::remove_all(path_);
    put("proc/self/cgroup", groups);
  }
  ~Root() { fs::remove_all(path_); }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  void put(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  std::optional<std::uint64_t> quota() const { return processor_share(path_.string()).quota; }

 private:
  fs::path path_;
};

#ifdef __linux__

TEST_CASE("a quota of version 2 is the least of a group and those around it, rounded up") {
  const Root root("0::/user/job\n");
  CHECK(!root.quota());
  root.put("sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
  CHECK(!root.quota());
  root.put("sys/fs/cgroup/user/cpu.max", "350000 100000\n");
  CHECK(root.quota() == 4);
  root.put("sys/fs/cgroup/user/job/cpu.max", "50000 100000\n");
  CHECK(root.quota() == 1);
}

TEST_CASE("a container whose path is the host's has the quota of the mount's root") {
  const Root root("0::/docker/0123\n");
  root.put("sys/fs/cgroup/cpu.max", "200000 100000\n");
  CHECK(root.quota() == 2);
}

TEST_CASE("a quota of version 1, beside other controllers") {
  const Root root("5:memory:/job\n4:cpu,cpuacct:/job\n3:cpuset:/job\n");
  root.put("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
  root.put("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  CHECK(!root.quota());
  root.put("sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "300000\n");
  CHECK(root.quota() == 3);
}

TEST_CASE("what is no quota is none") {
  const Root root("nonsense\n0::/\n");
  root.put("sys/fs/cgroup/cpu.max", "100000 0\n");
  CHECK(!root.quota());
  root.put("sys/fs/cgroup/cpu.max", "100000\n");
  CHECK(!root.quota());
}

TEST_CASE("the affinity of this process is known") {
  CHECK(processor_share().affinity.value_or(0) > 0);
}

#endif

}  // namespace
}  // namespace longhaul::device
