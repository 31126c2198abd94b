#include "device/leak_monitor.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <random>

#include "device/trend.hpp"

using namespace longhaul;
using namespace longhaul::device;

namespace {

constexpr double kMegabyte = 1e6;
constexpr std::uint64_t kBatches = 17628;  // of the job that died
constexpr std::uint64_t kStride = 16;

// Resident memory of a run: a warm-up plateau of 500 MB, correlated noise of 2-5 MB, rare spikes,
// and what `extra` adds.
class Simulated {
 public:
  Simulated(unsigned seed, std::function<double(double)> extra)
      : random_(seed), extra_(std::move(extra)) {
    persistence_ = std::uniform_real_distribution(0.8, 0.99)(random_);
    spread_ = std::uniform_real_distribution(2.0, 5.0)(random_);
    settle_ = std::uniform_real_distribution(100.0, 400.0)(random_);
  }
  std::uint64_t at(double batch) {
    noise_ = persistence_ * noise_ +
             spread_ * std::sqrt(1 - persistence_ * persistence_) * normal_(random_);
    const double spike = uniform_(random_) < 0.005 ? 50 * uniform_(random_) : 0;
    const double megabytes =
        1000 + 500 * (1 - std::exp(-batch / settle_)) + noise_ + spike + extra_(batch);
    return static_cast<std::uint64_t>(megabytes * kMegabyte);
  }

 private:
  std::mt19937_64 random_;
  std::function<double(double)> extra_;
  std::normal_distribution<double> normal_{0, 1};
  std::uniform_real_distribution<double> uniform_{0, 1};
  double persistence_ = 0, spread_ = 0, settle_ = 0, noise_ = 0;
};

LeakVerdict judge(unsigned seed, const std::function<double(double)>& extra,
                  std::uint64_t batches = kBatches) {
  Simulated memory(seed, extra);
  LeakMonitor monitor;
  for (std::uint64_t batch = 1; batch <= batches; batch += kStride) {
    MemoryReading reading;
    reading.rss = memory.at(static_cast<double>(batch));
    monitor.sample(batch, batch * 8, batch > 500, reading);
  }
  return monitor.verdict();
}

int caught(int seeds, const std::function<double(double)>& extra) {
  int growing = 0;
  for (int seed = 0; seed < seeds; ++seed) {
    growing += judge(static_cast<unsigned>(seed), extra) == LeakVerdict::kGrowing ? 1 : 0;
  }
  return growing;
}

std::function<double(double)> leak(double per_1000) {
  return [=](double batch) { return per_1000 * batch / 1000; };
}

std::function<double(double)> steps(unsigned seed) {
  std::mt19937_64 random(seed + 1000);
  std::vector<std::pair<double, double>> all;
  for (int i = 0; i < 4; ++i) {
    const double when = std::uniform_real_distribution(0.0, static_cast<double>(kBatches))(random);
    all.emplace_back(when, std::uniform_real_distribution(1.0, 8.0)(random));
  }
  return [all](double batch) {
    double sum = 0;
    for (const auto& [when, height] : all) {
      sum += batch > when ? height : 0;
    }
    return sum;
  };
}

// Samples one counter, exact, over `batches` batches.
LeakMonitor watch(std::uint64_t batches, std::optional<std::uint64_t> MemoryReading::*field,
                  const std::function<double(double)>& value, std::uint64_t warm_from = 100) {
  LeakMonitor monitor;
  for (std::uint64_t batch = 1; batch <= batches; ++batch) {
    MemoryReading reading;
    reading.*field = static_cast<std::uint64_t>(value(static_cast<double>(batch)));
    monitor.sample(batch, batch * 4, batch >= warm_from, reading);
  }
  return monitor;
}

}  // namespace

TEST_CASE("positive control: a leak of 10 MB per 1,000 batches is always caught") {
  CHECK(caught(40, leak(10)) == 40);
}

TEST_CASE("positive control: a leak of 2.5 MB per 1,000 batches is caught") {
  CHECK(caught(40, leak(2.5)) >= 39);
}

TEST_CASE("negative control: flat and plateau runs are never called growing") {
  CHECK(caught(60, leak(0)) == 0);
  // A slow plateau: 60 MB more that settle over the first 2,000 batches.
  CHECK(caught(60, [](double batch) { return 60 * (1 - std::exp(-batch / 500)); }) == 0);
}

TEST_CASE("negative control: four harmless steps of up to 8 MB are not called growing") {
  int growing = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    growing += judge(seed, steps(seed)) == LeakVerdict::kGrowing ? 1 : 0;
  }
  CHECK(growing == 0);
}

TEST_CASE("resident memory is not judged before 10,000 batches after the warm-up") {
  CHECK(judge(1, leak(10), 10900) == LeakVerdict::kTooShort);
  CHECK(judge(1, leak(10), 11100) == LeakVerdict::kGrowing);
}

TEST_CASE("live bytes that return to their baseline make a short run flat") {
  const auto monitor = watch(300, &MemoryReading::live_cpu,
                             [](double batch) { return 1e8 + (batch < 100 ? batch * 1e6 : 1e8); });
  CHECK(monitor.verdict() == LeakVerdict::kFlat);
  CHECK(monitor.report()["series"]["live"]["verdict"] == "flat");
}

TEST_CASE("the line of a short run tells what it rests on and no slope that means nothing") {
  // Resident memory of a run that only warms up: thousands of megabytes per 1,000 batches.
  const auto watch_both = [](std::uint64_t batches, double live_per_batch) {
    LeakMonitor monitor;
    for (std::uint64_t batch = 1; batch <= batches; ++batch) {
      MemoryReading reading;
      reading.rss = 500000000 + batch * 2000000;
      reading.live_cpu =
          static_cast<std::uint64_t>(1e8 + live_per_batch * static_cast<double>(batch));
      monitor.sample(batch, batch * 4, true, reading);
    }
    return monitor.summary();
  };
  CHECK(watch_both(82, 0) ==
        "memory: live tensors flat; the process itself is judged from 11,000 batches on");
  CHECK(watch_both(82, 1e5) ==
        "memory: growing (live tensors +100.00 MB per 1,000 batches, over 82 batches)");
  CHECK(watch_both(12, 0) == "memory: too short to judge (12 batches)");
  CHECK(LeakMonitor().summary() == "memory: too short to judge (0 batches)");
  CHECK(watch_both(82, 0).size() <= 80);
}

TEST_CASE("live bytes that do not return make a short run growing") {
  const auto monitor =
      watch(300, &MemoryReading::live_cpu, [](double batch) { return 1e8 + batch * 4096; });
  CHECK(monitor.verdict() == LeakVerdict::kGrowing);
}

TEST_CASE("too few batches for anything are too short") {
  const auto monitor = watch(12, &MemoryReading::live_cpu, [](double) { return 1e8; });
  CHECK(monitor.verdict() == LeakVerdict::kTooShort);
  CHECK(LeakMonitor().verdict() == LeakVerdict::kTooShort);
  CHECK(monitor.report()["verdict"] == "too_short");
}

TEST_CASE("in a long run live bytes are held to a tenth of a megabyte per 1,000 batches") {
  CHECK(watch(20000, &MemoryReading::live_cpu, [](double batch) {
          return 1e8 + batch * 50;
        }).verdict() == LeakVerdict::kFlat);
  CHECK(watch(20000, &MemoryReading::live_cpu, [](double batch) {
          return 1e8 + batch * 200;
        }).verdict() == LeakVerdict::kGrowing);
}

TEST_CASE("open files and threads that grow are caught by their own thresholds") {
  CHECK(watch(20000, &MemoryReading::open_files, [](double batch) {
          return 20 + batch / 1000;
        }).verdict() == LeakVerdict::kGrowing);
  CHECK(
      watch(20000, &MemoryReading::open_files, [](double batch) {
        return 20 + batch / 1000;
      }).summary() == "memory: growing (open files +1.00 per 1,000 batches, over 19,000 batches)");
  CHECK(watch(20000, &MemoryReading::threads, [](double batch) {
          return 12 + std::fmod(batch, 3);
        }).verdict() == LeakVerdict::kFlat);
}

TEST_CASE("growth is warned about once, while the run goes on") {
  LeakMonitor monitor;
  int warnings = 0;
  std::uint64_t first = 0;
  for (std::uint64_t batch = 1; batch <= 40000; ++batch) {
    MemoryReading reading;
    reading.rss = 1000000000 + batch * 10000;
    monitor.sample(batch, batch * 8, true, reading);
    if (const auto warning = monitor.take_warning()) {
      ++warnings;
      first = first == 0 ? batch : first;
      CHECK(warning->find("resident memory grew by +10.00 MB per 1,000 batches") !=
            std::string::npos);
    }
  }
  CHECK(warnings == 1);
  CHECK(first == 11000);
}

TEST_CASE("the warm-up lasts until every shape was seen twice") {
  const auto growing_then_flat = [](double batch) { return 1e9 + std::min(batch, 5000.0) * 1e5; };
  const auto monitor = watch(20000, &MemoryReading::rss, growing_then_flat, 5000);
  CHECK(monitor.verdict() == LeakVerdict::kFlat);
  CHECK(monitor.report()["warm_up_batches"] == 5000);
  CHECK(monitor.report()["judged_batches"] == 15000);
}

TEST_CASE("slopes are per 1,000 batches and per million records") {
  const auto monitor =
      watch(20000, &MemoryReading::rss, [](double batch) { return 1e9 + batch * 3000; });
  const nlohmann::json series = monitor.report()["series"]["rss"];
  CHECK(series["per_1000_batches"].get<double>() == Approx(3e6));
  CHECK(series["per_million_records"].get<double>() == Approx(3000.0 / 4 * 1e6));
  CHECK(series["verdict"] == "growing");
  CHECK(monitor.summary().find(
            "memory: growing (resident memory +3.00 MB per 1,000 batches, over ") == 0);
}

TEST_CASE("a series keeps a bounded number of evenly spaced samples") {
  TrendSamples samples;
  for (int i = 0; i < 1000000; ++i) {
    samples.add({static_cast<double>(i), 0, 0});
  }
  REQUIRE(samples.points().size() <= TrendSamples::kCapacity);
  REQUIRE(samples.points().size() >= TrendSamples::kCapacity / 2);
  const double step = samples.points()[1].batches - samples.points()[0].batches;
  for (std::size_t i = 1; i < samples.points().size(); ++i) {
    REQUIRE(samples.points()[i].batches - samples.points()[i - 1].batches == step);
  }
}
