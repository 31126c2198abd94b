#include "plan/memory_governor.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "plan/window.hpp"

using namespace longhaul;
using namespace longhaul::plan;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint32_t kWidth = 128;

device::MemoryReading host(std::uint64_t rss_mib, std::uint64_t peak_mib) {
  device::MemoryReading reading;
  reading.rss = rss_mib * kMiB;
  reading.peak_rss = peak_mib * kMiB;
  return reading;
}

GovernorSettings starting_at(double budget) {
  GovernorSettings settings;
  settings.start_budget = budget;
  return settings;
}

}  // namespace

TEST_CASE("without readings or failures the budget is the one at the start") {
  const MemoryGovernor governor(starting_at(16384));
  CHECK(governor.budget(kWidth) == 16384);
  CHECK(governor.budget(8) == 16384);
}

TEST_CASE("running out of memory halves the budget, for every width") {
  MemoryGovernor governor(starting_at(16384));
  governor.ran_out(kWidth, 16000);
  CHECK(governor.budget(kWidth) == 8000);
  CHECK(governor.budget(64) == 8000);
  governor.ran_out(kWidth, 8000);
  CHECK(governor.budget(kWidth) == 4000);
  CHECK(governor.report()["out_of_memory"] == 2);
  CHECK(governor.report()["least_budget"] == 4000);
}

TEST_CASE("the budget grows back slowly, and never to a cost that failed at that width") {
  MemoryGovernor governor(starting_at(16384));
  governor.ran_out(kWidth, 16000);
  double last = governor.budget(kWidth);
  int batches = 0;
  while (batches < 10000) {
    governor.succeeded(kWidth, governor.budget(kWidth));
    ++batches;
    const double now = governor.budget(kWidth);
    REQUIRE(now >= last);
    REQUIRE(now <= last * 1.126);
    REQUIRE(now < 16000);
    if (batches == 15) {
      REQUIRE(now == 8000);
    }
    last = now;
  }
  CHECK(last == 14000);
  // Another width has no ceiling: it gets everything back.
  CHECK(governor.budget(64) == 16384);
}

TEST_CASE("small batches prove nothing") {
  MemoryGovernor governor(starting_at(16384));
  governor.ran_out(kWidth, 16000);
  for (int i = 0; i < 1000; ++i) {
    governor.succeeded(kWidth, 3999);
  }
  CHECK(governor.budget(kWidth) == 8000);
}

TEST_CASE("whatever the capacity, failures are few and the budget settles within an eighth of it") {
  const double start = 65536;
  for (const double capacity : {300.0, 1000.0, 5000.0, 33000.0, 60000.0, 65535.0}) {
    MemoryGovernor governor(starting_at(start));
    int failures = 0;
    double lowest_failed = std::numeric_limits<double>::infinity();
    for (int batch = 0; batch < 20000; ++batch) {
      const double cost = governor.budget(kWidth);
      REQUIRE(cost < lowest_failed);
      if (cost > capacity) {
        governor.ran_out(kWidth, cost);
        lowest_failed = cost;
        ++failures;
      } else {
        governor.succeeded(kWidth, cost);
      }
    }
    INFO("capacity " << capacity << ", failures " << failures);
    CHECK(failures <= 16);
    CHECK(governor.budget(kWidth) <= capacity);
    CHECK(governor.budget(kWidth) > capacity * 0.75);
  }
}

TEST_CASE("one record that does not fit alone does not shrink the batches of others") {
  MemoryGovernor governor(starting_at(16384));
  governor.ran_out(5000, cost_per_row(5000));
  CHECK(governor.budget(kWidth) == 16384);
  CHECK(governor.budget(5000) < cost_per_row(5000));
}

TEST_CASE("a limit lowers the budget before it is reached, and it recovers with the room") {
  GovernorSettings settings = starting_at(16384);
  settings.host_limit_bytes = 2000 * kMiB;
  MemoryGovernor governor(settings);
  governor.observe(host(500, 500));
  governor.succeeded(kWidth, 4000);
  governor.observe(host(500, 900));  // 400 MiB for a cost of 4,000
  // 2,000 less a twentieth less the 500 in use, at 0.1 MiB per unit of cost.
  CHECK(governor.budget(kWidth) == Approx(14000));
  CHECK_FALSE(governor.near_limit());

  for (int i = 0; i < 20; ++i) {
    governor.observe(host(1700, 1700));
  }
  CHECK(governor.budget(kWidth) == Approx(2000));
  for (int i = 0; i < 20; ++i) {
    governor.observe(host(1950, 1950));
  }
  CHECK(governor.near_limit());
  CHECK(governor.budget(kWidth) == 0);
  for (int i = 0; i < 20; ++i) {
    governor.observe(host(500, 1950));
  }
  CHECK(governor.budget(kWidth) == Approx(14000));
}

TEST_CASE("memory never passes the limit when batches take what their cost says") {
  // In use: 300 MiB, plus `per_cost` bytes for each unit of cost during a batch.
  for (const double per_cost : {1e3, 20e3, 120e3, 250e3}) {
    for (const std::uint64_t limit : {400U, 700U, 3000U}) {
      GovernorSettings settings = starting_at(65536);
      settings.host_limit_bytes = limit * kMiB;
      MemoryGovernor governor(settings);
      double peak = 300;
      governor.observe(host(300, 300));
      double cost = 0;
      for (int batch = 0; batch < 500; ++batch) {
        const auto rows = std::max(std::floor(governor.budget(kWidth) / cost_per_row(kWidth)), 1.0);
        cost = rows * cost_per_row(kWidth);
        peak = std::max(peak, 300 + cost * per_cost / static_cast<double>(kMiB));
        governor.succeeded(kWidth, cost);
        governor.observe(host(300, static_cast<std::uint64_t>(std::ceil(peak))));
        REQUIRE(peak <= static_cast<double>(limit));
      }
      INFO("bytes per cost " << per_cost << ", limit " << limit << ", cost " << cost);
      // The room is used, not just kept.
      const double room = (static_cast<double>(limit) * 0.95 - 316) * static_cast<double>(kMiB);
      CHECK(cost >= std::min(0.6 * room / per_cost - cost_per_row(kWidth),
                             65536 - 2 * cost_per_row(kWidth)));
    }
  }
}

TEST_CASE("memory that creeps up makes batches smaller, down to one row, ahead of the limit") {
  GovernorSettings settings = starting_at(16384);
  settings.host_limit_bytes = 2000 * kMiB;
  MemoryGovernor governor(settings);
  std::uint64_t peak = 500;
  double before = governor.budget(kWidth);
  governor.observe(host(500, 500));
  for (std::uint64_t rss = 500; rss < 1930; ++rss) {
    const double cost = std::max(std::min(governor.budget(kWidth), 16384.0), cost_per_row(kWidth));
    peak = std::max(peak, rss + static_cast<std::uint64_t>(cost / 20));
    if (cost > cost_per_row(kWidth)) {
      REQUIRE(peak <= 2000);
    }
    governor.succeeded(kWidth, cost);
    governor.observe(host(rss, peak));
    before = cost;
  }
  CHECK(before == Approx(cost_per_row(kWidth)));
  CHECK_FALSE(governor.limit_stays_reached());
  for (int i = 0; i < 80; ++i) {
    governor.observe(host(1999, peak));
  }
  CHECK(governor.limit_stays_reached());
  CHECK(governor.fresh_process_has_room());
  CHECK(governor.report()["lowered_by_limit"].get<int>() >= 1);
}

TEST_CASE("a limit below what is in use from the start is no reason to start anew") {
  GovernorSettings settings = starting_at(16384);
  settings.host_limit_bytes = 2000 * kMiB;
  MemoryGovernor governor(settings);
  for (int i = 0; i < 80; ++i) {
    CHECK(governor.fresh_process_has_room() == (i < 64));
    governor.observe(host(1999, 1999));
  }
  CHECK(governor.limit_stays_reached());
}

TEST_CASE("what a batch took is measured by live bytes where they are counted") {
  GovernorSettings settings = starting_at(1e6);
  settings.host_limit_bytes = 2000 * kMiB;
  MemoryGovernor governor(settings);
  device::MemoryReading reading = host(500, 1500);  // loading the model went up to 1,500
  reading.live_cpu = 200 * kMiB;
  reading.live_cpu_peak = 200 * kMiB;
  governor.observe(reading);
  governor.succeeded(kWidth, 4000);
  reading.live_cpu_peak = 280 * kMiB;
  governor.observe(reading);
  // 80 MiB, and what is not counted, for a cost of 4,000; room for 1,400 MiB.
  CHECK(governor.budget(kWidth) == Approx(1400.0 / (80 * 2.5) * 4000));
  // The high-water mark shows how much that is: 1,100 MiB over 880 live ones.
  governor.succeeded(kWidth, 44000);
  reading.live_cpu_peak = 1080 * kMiB;
  reading.peak_rss = 1600 * kMiB;
  governor.observe(reading);
  CHECK(governor.budget(kWidth) == Approx(56000));
}

TEST_CASE("a cgroup that others fill lowers the budget though our own memory is small") {
  MemoryGovernor governor(starting_at(16384));
  device::MemoryReading reading = host(500, 500);
  reading.cgroup_limit = 8000 * kMiB;
  reading.cgroup_used = 600 * kMiB;
  governor.observe(reading);
  CHECK(governor.budget(kWidth) == 16384);
  governor.succeeded(kWidth, 4000);
  reading.peak_rss = 900 * kMiB;
  governor.observe(reading);
  CHECK(governor.budget(kWidth) == 16384);
  reading.cgroup_used = 7500 * kMiB;
  governor.observe(reading);
  CHECK(governor.budget(kWidth) == Approx(1000));
  reading.cgroup_used = 600 * kMiB;
  governor.observe(reading);
  CHECK(governor.budget(kWidth) == 16384);
}

TEST_CASE("an address space limit is kept away from like any other") {
  MemoryGovernor governor(starting_at(16384));
  device::MemoryReading reading = host(500, 500);
  reading.address_space_limit = 3000 * kMiB;
  reading.address_space = 2900 * kMiB;
  governor.observe(reading);
  CHECK(governor.budget(kWidth) == Approx((100.0 - 16) * 4));  // 256 KiB until one was seen
  governor.succeeded(kWidth, 136);
  reading.live_cpu = 50 * kMiB;
  reading.live_cpu_peak = 66 * kMiB;
  governor.observe(reading);
  CHECK(governor.budget(kWidth) == Approx(84.0 / 40 * 136));
}

TEST_CASE("where host and device share memory one limit covers both") {
  GovernorSettings settings = starting_at(16384);
  settings.host_limit_bytes = 2000 * kMiB;
  settings.shared_memory = true;
  MemoryGovernor governor(settings);
  device::MemoryReading reading = host(400, 400);
  reading.device.driver = 100 * kMiB;
  governor.observe(reading);
  CHECK_FALSE(governor.near_limit());
  const double before = governor.budget(kWidth);
  reading.device.driver = 1550 * kMiB;
  for (int i = 0; i < 20; ++i) {
    governor.observe(reading);
  }
  CHECK(governor.near_limit());
  CHECK(governor.budget(kWidth) < before);
  // The footprint already counts the device's share.
  reading.footprint = 1600 * kMiB;
  governor.observe(reading);
  CHECK_FALSE(governor.near_limit());
}

TEST_CASE("a device limit works like the host's, on what the allocator holds") {
  GovernorSettings settings = starting_at(16384);
  settings.device_limit_bytes = 1000 * kMiB;
  MemoryGovernor governor(settings);
  device::MemoryReading reading;
  reading.device.allocated = 300 * kMiB;
  reading.device.reserved = 300 * kMiB;
  governor.observe(reading);
  governor.succeeded(kWidth, 1000);
  reading.device.reserved = 700 * kMiB;  // 400 cached after a cost of 1,000
  governor.observe(reading);
  CHECK(governor.budget(kWidth) == Approx((950.0 - 300) / 0.4));
  reading.device.reserved = 960 * kMiB;
  governor.observe(reading);
  CHECK(governor.near_limit());
}

TEST_CASE("an unknown reading changes nothing") {
  GovernorSettings settings = starting_at(16384);
  settings.host_limit_bytes = 1000 * kMiB;
  MemoryGovernor governor(settings);
  governor.observe(device::MemoryReading{});
  governor.succeeded(kWidth, 16384);
  governor.observe(device::MemoryReading{});
  CHECK(governor.budget(kWidth) == 16384);
  CHECK_FALSE(governor.near_limit());
}

TEST_CASE("the same outcomes and readings give the same budgets") {
  const auto play = [] {
    GovernorSettings settings = starting_at(16384);
    settings.host_limit_bytes = 900 * kMiB;
    MemoryGovernor governor(settings);
    std::vector<double> budgets;
    for (std::uint32_t i = 0; i < 2000; ++i) {
      const std::uint32_t width = 8 * (1 + i * 7919 % 40);
      const double cost = std::max(governor.budget(width), cost_per_row(width));
      budgets.push_back(cost);
      if (i % 97 == 5) {
        governor.ran_out(width, cost);
      } else {
        governor.succeeded(width, cost);
      }
      governor.observe(host(400 + i * 31 % 300, 700 + i / 20));
    }
    return budgets;
  };
  CHECK(play() == play());
}
