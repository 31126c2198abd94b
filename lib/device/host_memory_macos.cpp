// HostMemory on macOS: Mach calls. `root` means nothing here, and there are no cgroups.
#include <libproc.h>
#include <mach/mach.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include "device/memory_reading.hpp"

namespace longhaul::device {
namespace {

using Field = std::optional<std::uint64_t>;

constexpr std::uint64_t kOpenFilesEvery = 16;

void read_task(MemoryReading& reading) {
  task_vm_info_data_t info{};
  mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
  if (task_info(mach_task_self(), TASK_VM_INFO, reinterpret_cast<task_info_t>(&info), &count) ==
      KERN_SUCCESS) {
    reading.rss = info.resident_size;
    reading.peak_rss = info.resident_size_peak;
    reading.footprint = info.phys_footprint;
  }
}

// Pages that can be had without writing anything out. The page size is asked for: it is 16 KiB on
// Apple silicon, not 4.
Field available_bytes() {
  vm_statistics64_data_t statistics{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  vm_size_t page = 0;
  const mach_port_t host = mach_host_self();
  const bool known =
      host_page_size(host, &page) == KERN_SUCCESS &&
      host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&statistics),
                        &count) == KERN_SUCCESS;
  mach_port_deallocate(mach_task_self(), host);
  if (!known) {
    return std::nullopt;
  }
  return (std::uint64_t{statistics.free_count} + statistics.inactive_count +
          statistics.purgeable_count) *
         page;
}

Field physical_bytes() {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof bytes;
  return sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) == 0 ? Field(bytes) : std::nullopt;
}

Field thread_count() {
  thread_act_array_t threads = nullptr;
  mach_msg_type_number_t count = 0;
  if (task_threads(mach_task_self(), &threads, &count) != KERN_SUCCESS) {
    return std::nullopt;
  }
  for (mach_msg_type_number_t i = 0; i < count; ++i) {
    mach_port_deallocate(mach_task_self(), threads[i]);
  }
  vm_deallocate(mach_task_self(), reinterpret_cast<vm_address_t>(threads),
                count * sizeof(thread_act_t));
  return count;
}

Field open_file_count() {
  const int bytes = proc_pidinfo(getpid(), PROC_PIDLISTFDS, 0, nullptr, 0);
  if (bytes <= 0) {
    return std::nullopt;
  }
  std::vector<proc_fdinfo> entries(static_cast<std::size_t>(bytes) / sizeof(proc_fdinfo));
  const int filled = proc_pidinfo(getpid(), PROC_PIDLISTFDS, 0, entries.data(),
                                  static_cast<int>(entries.size() * sizeof(proc_fdinfo)));
  return filled < 0 ? std::nullopt
                    : Field(static_cast<std::uint64_t>(filled) / sizeof(proc_fdinfo));
}

}  // namespace

HostMemory::HostMemory(std::string root) : root_(std::move(root)) {}

MemoryReading HostMemory::read() {
  MemoryReading reading;
  read_task(reading);
  reading.total = physical_bytes();
  reading.available = available_bytes();
  reading.threads = thread_count();
  if (readings_++ % kOpenFilesEvery == 0) {
    open_files_ = open_file_count();
  }
  reading.open_files = open_files_;
  return reading;
}

}  // namespace longhaul::device
