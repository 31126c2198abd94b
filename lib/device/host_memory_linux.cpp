// HostMemory on Linux: /proc and the cgroups, versions 1 and 2.
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "base/text.hpp"
#include "device/memory_reading.hpp"

namespace longhaul::device {
namespace {

using Field = std::optional<std::uint64_t>;

constexpr std::uint64_t kOpenFilesEvery = 16;
// Version 1 spells "no limit" as the greatest multiple of a page below 2^63.
constexpr std::uint64_t kNoLimit = 1ULL << 60;

// The first 16 KiB of a file: all of any file read here that matters.
std::string slurp(const std::string& path) {
  std::string text;
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    return text;
  }
  std::array<char, 16384> buffer;
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t got = ::read(descriptor, buffer.data() + filled, buffer.size() - filled);
    if (got <= 0) {
      break;
    }
    filled += static_cast<std::size_t>(got);
  }
  ::close(descriptor);
  text.assign(buffer.data(), filled);
  return text;
}

std::string_view trim(std::string_view text) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && space(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

// The number after `key` at the start of a line: "VmHWM:   1234 kB", "inactive_file 4096".
Field number_after(std::string_view text, std::string_view key) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    if (!line.starts_with(key)) {
      continue;
    }
    line.remove_prefix(key.size());
    if (line.empty() || (line.front() != ' ' && line.front() != '\t')) {
      continue;
    }
    line = trim(line);
    const bool kilobytes = line.ends_with(" kB");
    if (kilobytes) {
      line.remove_suffix(3);
    }
    const Field value = parse_count(trim(line));
    return value && kilobytes ? Field(*value * 1024) : value;
  }
  return std::nullopt;
}

// The soft limit of a line of /proc/self/limits: "Max address space   1000   2000   bytes".
Field first_number_after(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(at + key.size());
  text = trim(text.substr(0, text.find('\n')));
  return parse_count(text.substr(0, text.find(' ')));
}

Field single_number(const std::string& path) {
  return path.empty() ? std::nullopt : parse_count(trim(slurp(path)));
}

Field limit_in(const std::string& path) {
  const Field value = single_number(path);  // "max" is no number: no limit
  return value && *value < kNoLimit ? value : std::nullopt;
}

Field count_entries(const std::string& path) {
  DIR* const folder = ::opendir(path.c_str());
  if (folder == nullptr) {
    return std::nullopt;
  }
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(folder)) {
    count += entry->d_name[0] != '.' ? 1 : 0;
  }
  ::closedir(folder);
  return count;
}

bool is_readable(const std::string& path) {
  return ::access(path.c_str(), R_OK) == 0;
}

// "/a/b" -> "/a/b", "/a", "".
std::vector<std::string> with_parents(std::string path) {
  while (!path.empty() && path.back() == '/') {
    path.pop_back();
  }
  std::vector<std::string> all{path};
  while (!path.empty()) {
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
    all.push_back(path);
  }
  return all;
}

}  // namespace

HostMemory::HostMemory(std::string root) : root_(std::move(root)) {
  if (root_.empty() || root_.back() != '/') {
    root_ += '/';
  }
  find_groups();
  address_space_limit_ = first_number_after(slurp(root_ + "proc/self/limits"), "Max address space");
}

// /proc/self/cgroup says "0::/path" for version 2 and "4:memory:/path" for version 1. Inside a
// container the path may be the host's and not exist here; the mount's root is then our group.
void HostMemory::find_groups() {
  const std::string text = slurp(root_ + "proc/self/cgroup");
  const std::string mount = root_ + "sys/fs/cgroup";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first == std::string_view::npos ? first : first + 1);
    if (second == std::string_view::npos) {
      continue;
    }
    const std::string controllers =
        "," + std::string(line.substr(first + 1, second - first - 1)) + ",";
    const std::string path(line.substr(second + 1));
    const bool version_2 = controllers == ",,";
    if (!version_2 && controllers.find(",memory,") == std::string::npos) {
      continue;
    }
    for (const std::string& level : with_parents(path)) {
      const std::string folder = mount + (version_2 ? "" : "/memory") + level + "/";
      Group group = version_2 ? Group{folder + "memory.max",     folder + "memory.high",
                                      folder + "memory.current", folder + "memory.stat",
                                      "inactive_file",           "active_file"}
                              : Group{folder + "memory.limit_in_bytes",
                                      "",
                                      folder + "memory.usage_in_bytes",
                                      folder + "memory.stat",
                                      "total_inactive_file",
                                      "total_active_file"};
      if (is_readable(group.limit_file) && is_readable(group.used_file)) {
        groups_.push_back(std::move(group));
      }
    }
  }
}

void HostMemory::read_groups(MemoryReading& reading) {
  std::uint64_t least_room = 0;
  for (const Group& group : groups_) {
    Field limit = limit_in(group.limit_file);
    const Field soft = limit_in(group.soft_limit_file);
    if (soft && (!limit || *soft < *limit)) {
      limit = soft;  // above memory.high the kernel throttles: as bad as a wall
    }
    const Field charged = limit ? single_number(group.used_file) : std::nullopt;
    if (!charged) {
      continue;
    }
    const std::string stat = slurp(group.stat_file);
    const std::uint64_t cache = number_after(stat, group.inactive_key).value_or(0) +
                                number_after(stat, group.active_key).value_or(0);
    const std::uint64_t used = checked_difference(*charged, cache).value_or(0);
    const std::uint64_t room = checked_difference(*limit, used).value_or(0);
    if (!reading.cgroup_limit || room < least_room) {
      reading.cgroup_limit = limit;
      reading.cgroup_used = used;
      least_room = room;
    }
  }
}

MemoryReading HostMemory::read() {
  MemoryReading reading;
  const std::string status = slurp(root_ + "proc/self/status");
  reading.rss = number_after(status, "VmRSS:");
  reading.peak_rss = number_after(status, "VmHWM:");
  if (reading.rss && reading.peak_rss) {
    // The kernel raises the mark late.
    reading.peak_rss = std::max(*reading.peak_rss, *reading.rss);
  }
  reading.threads = number_after(status, "Threads:");
  if (address_space_limit_) {
    reading.address_space = number_after(status, "VmSize:");
    reading.address_space_limit = address_space_limit_;
  }
  const std::string system = slurp(root_ + "proc/meminfo");
  reading.total = number_after(system, "MemTotal:");
  reading.available = number_after(system, "MemAvailable:");
  read_groups(reading);
  if (readings_++ % kOpenFilesEvery == 0) {
    const Field entries = count_entries(root_ + "proc/self/fd");
    // The folder itself is open while it is read.
    open_files_ = entries ? Field(*entries - std::min<std::uint64_t>(*entries, 1)) : std::nullopt;
  }
  reading.open_files = open_files_;
  return reading;
}

}  // namespace longhaul::device
