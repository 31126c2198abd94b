// Affinity, and the quotas of the cgroups, versions 1 and 2.
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "base/text.hpp"
#include "device/processor_share.hpp"

namespace longhaul::device {
namespace {

constexpr std::size_t kMostProcessors = 1 << 16;

std::optional<std::uint64_t> affinity() {
  // The kernel refuses a set that is smaller than its own.
  for (std::size_t sets = 1; sets * CPU_SETSIZE <= kMostProcessors; sets *= 2) {
    std::vector<cpu_set_t> set(sets);
    const std::size_t size = sets * sizeof(cpu_set_t);
    if (sched_getaffinity(0, size, set.data()) == 0) {
      return static_cast<std::uint64_t>(CPU_COUNT_S(size, set.data()));
    }
  }
  return std::nullopt;
}

std::vector<std::string> words_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> words;
  for (std::string word; words.size() < 2 && file >> word;) {
    words.push_back(word);
  }
  return words;
}

// Microseconds of processor time in a period of so many.
std::optional<std::uint64_t> whole_processors(const std::string& quota, const std::string& period) {
  const std::optional<std::uint64_t> time = parse_count(quota);  // "max" and -1 are no numbers
  const std::optional<std::uint64_t> of = parse_count(period);
  if (!time || !of || *of == 0) {
    return std::nullopt;
  }
  return std::max<std::uint64_t>(1, (*time + *of - 1) / *of);
}

std::optional<std::uint64_t> quota_in(const std::string& folder, bool version_2) {
  if (version_2) {
    const std::vector<std::string> max = words_of(folder + "/cpu.max");
    return max.size() == 2 ? whole_processors(max[0], max[1]) : std::nullopt;
  }
  const std::vector<std::string> quota = words_of(folder + "/cpu.cfs_quota_us");
  const std::vector<std::string> period = words_of(folder + "/cpu.cfs_period_us");
  return quota.empty() || period.empty() ? std::nullopt : whole_processors(quota[0], period[0]);
}

// The least of a group and all groups around it. Inside a container the path may be the host's and
// not exist here; the root of the mount is then our group.
std::optional<std::uint64_t> least_quota(const std::string& mount, std::string path,
                                         bool version_2) {
  std::optional<std::uint64_t> least;
  for (;;) {
    const std::optional<std::uint64_t> quota = quota_in(mount + path, version_2);
    least = least && quota ? std::min(least, quota) : (quota ? quota : least);
    if (path.empty()) {
      return least;
    }
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

// /proc/self/cgroup says "0::/path" for version 2 and "4:cpu,cpuacct:/path" for version 1.
std::optional<std::uint64_t> cgroup_quota(const std::string& root) {
  std::optional<std::uint64_t> least;
  std::ifstream file(root + "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) {
      continue;
    }
    const std::string controllers = line.substr(first + 1, second - first - 1);
    std::string path = line.substr(second + 1);
    while (path.ends_with('/')) {
      path.pop_back();
    }
    const bool version_2 = controllers.empty();
    if (!version_2 && ("," + controllers + ",").find(",cpu,") == std::string::npos) {
      continue;
    }
    const std::string mount = root + "sys/fs/cgroup";
    const std::vector<std::string> mounts =
        version_2 ? std::vector<std::string>{mount, mount + "/unified"}
                  : std::vector<std::string>{mount + "/" + controllers, mount + "/cpu"};
    for (const std::string& folder : mounts) {
      const std::optional<std::uint64_t> quota = least_quota(folder, path, version_2);
      least = least && quota ? std::min(least, quota) : (quota ? quota : least);
    }
  }
  return least;
}

}  // namespace

ProcessorShare processor_share(const std::string& root) {
  return {affinity(), cgroup_quota(root.ends_with('/') ? root : root + "/")};
}

}  // namespace longhaul::device
