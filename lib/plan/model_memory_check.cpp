#include "plan/model_memory_check.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::plan {
namespace {

// At the same time in memory while a model is loaded: the weights as read, and their copy in the
// frozen graph; packed copies replace these one by one.
constexpr std::uint64_t kCopies = 2;

}  // namespace

void require_room_for_model(std::uint64_t model_bytes, const device::MemoryReading& reading,
                            const std::optional<std::uint64_t>& host_limit_bytes) {
  const std::uint64_t needed = kCopies * model_bytes;
  const auto require = [&](const std::optional<std::uint64_t>& limit,
                           const std::optional<std::uint64_t>& used, std::string_view what,
                           const char* remedy) {
    if (!limit || !used) {
      return;
    }
    const std::uint64_t room = device::checked_difference(*limit, *used).value_or(0);
    if (needed > room) {
      throw Error(ExitCode::kMemory,
                  "the model cannot be loaded: it needs about " + format_bytes(needed) +
                      " of memory (" + std::to_string(kCopies) + " copies of " +
                      format_bytes(model_bytes) + " while loading) and " + std::string(what) +
                      " leaves " + format_bytes(room) + " (" + format_bytes(*used) + " of " +
                      format_bytes(*limit) + " in use)",
                  remedy);
    }
  };
  require(host_limit_bytes, reading.rss, "the memory limit", "raise --memory-limit");
  require(reading.cgroup_limit, reading.cgroup_used, "the cgroup's limit",
          "give the job more memory");
  require(reading.address_space_limit, reading.address_space, "the limit on address space",
          "raise it: ulimit -v");
  const std::optional<std::uint64_t> taken =
      reading.total && reading.available
          ? device::checked_difference(*reading.total, *reading.available)
          : std::nullopt;
  require(reading.total, taken, "this machine", "free some memory or take a larger machine");
}

}  // namespace longhaul::plan
