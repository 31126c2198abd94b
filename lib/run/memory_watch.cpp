#include "run/memory_watch.hpp"

#include <algorithm>

#include "plan/window.hpp"

namespace longhaul::run {
namespace {

using namespace std::chrono_literals;

constexpr auto kReadingEvery = 20ms;

}  // namespace

void MemoryWatch::computed(const std::set<std::uint32_t>& widths) {
  std::set<std::uint32_t> rungs;  // between fine ones little differs
  for (const std::uint32_t width : widths) {
    rungs.insert(plan::rung_of(width, std::nullopt));
  }
  for (const std::uint32_t rung : rungs) {
    ++widths_seen_[rung];
  }
}

void MemoryWatch::observe(std::uint64_t batches, std::uint64_t records) {
  if (!hooks_.read_memory) {
    return;
  }
  const auto now = hooks_.now();
  if (!last_reading_ || now - *last_reading_ >= kReadingEvery) {
    last_reading_ = now;
    read(batches, records);
  }
}

void MemoryWatch::read(std::uint64_t batches, std::uint64_t records) {
  if (!hooks_.read_memory) {
    return;
  }
  latest_ = hooks_.read_memory();
  parts_.governor.observe(latest_);
  const bool warm = std::all_of(widths_seen_.begin(), widths_seen_.end(),
                                [](const auto& seen) { return seen.second >= 2; });
  parts_.leaks.sample(batches, records, warm, latest_);
  if (const std::optional<std::string> warning = parts_.leaks.take_warning()) {
    suspect_leak(*warning);
  }
  if (!limit_told_ && parts_.governor.limit_stays_reached()) {
    limit_told_ = true;
    tell_of_limit();
  }
}

// Starting anew at once again and again would help nobody.
void MemoryWatch::tell_of_limit() {
  const std::string text = "memory stays at its limit though caches were released";
  if (parts_.governor.fresh_process_has_room()) {
    suspect_leak(text);
  } else {
    parts_.log.warning(text + ", and was there from the start: raise it, or use a smaller model");
  }
}

void MemoryWatch::suspect_leak(const std::string& warning) {
  parts_.log.warning(warning);
  if (hooks_.leak_suspected) {
    action_ = hooks_.leak_suspected(warning);
  }
}

}  // namespace longhaul::run
