#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "launch/process_plan.hpp"

namespace longhaul::launch {
namespace {

config::RunConfig settings(const std::string& device, std::optional<std::uint32_t> processes) {
  config::RunConfig config;
  config.device = device;
  config.processes = processes;
  return config;
}

std::vector<std::string> devices_of(const std::vector<ProcessShare>& shares) {
  std::vector<std::string> devices;
  for (const ProcessShare& share : shares) {
    devices.push_back(share.device);
  }
  return devices;
}

ExitCode code_of_plan(const config::RunConfig& config, const Machine& machine) {
  try {
    plan_processes(config, machine);
  } catch (const Error& error) {
    CHECK(!error.remedy().empty());
    return error.code();
  }
  return ExitCode::kDone;
}

const Machine kCpus{8, std::uint64_t{1000}, {"cpu"}};
const Machine kGpus{9, std::uint64_t{900}, {"cuda:0 A", "cuda:1 A", "cpu"}};
const Machine kApple{8, std::nullopt, {"mps", "cpu"}};

TEST_CASE("several processes are asked for by number or by devices") {
  CHECK(!asks_for_processes(settings("auto", std::nullopt)));
  CHECK(!asks_for_processes(settings("cuda:1", 1)));
  CHECK(asks_for_processes(settings("auto", 2)));
  CHECK(asks_for_processes(settings("cuda:all", std::nullopt)));
  CHECK(asks_for_processes(settings("cuda:0,2", std::nullopt)));
}

TEST_CASE("threads and memory are shared out, remainders to the first") {
  const auto shares = plan_processes(settings("cpu", 3), kCpus);
  REQUIRE(shares.size() == 3);
  CHECK(shares[0] == ProcessShare{{1, 3}, "cpu", 3, 333});
  CHECK(shares[1] == ProcessShare{{2, 3}, "cpu", 3, 333});
  CHECK(shares[2] == ProcessShare{{3, 3}, "cpu", 2, 333});
}

TEST_CASE("more processes than threads have one each, and a limit that was asked for is divided") {
  config::RunConfig config = settings("auto", 10);
  config.memory_limit = 5000;
  const auto shares = plan_processes(config, kCpus);
  REQUIRE(shares.size() == 10);
  CHECK(shares[9] == ProcessShare{{10, 10}, "auto", 1, 500});
}

TEST_CASE("each device gets a process") {
  CHECK(devices_of(plan_processes(settings("cuda:all", std::nullopt), kGpus)) ==
        std::vector<std::string>{"cuda:0", "cuda:1"});
  CHECK(devices_of(plan_processes(settings("cuda:all", 2), kGpus)) ==
        std::vector<std::string>{"cuda:0", "cuda:1"});
  CHECK(devices_of(plan_processes(settings("cuda:3,1", std::nullopt), kGpus)) ==
        std::vector<std::string>{"cuda:3", "cuda:1"});
  CHECK(devices_of(plan_processes(settings("auto", 2), kGpus)) ==
        std::vector<std::string>{"cuda:0", "cuda:1"});
  CHECK(devices_of(plan_processes(settings("cpu", 2), kGpus)) ==
        std::vector<std::string>{"cpu", "cpu"});
}

TEST_CASE("where there is one device, or none, one process is all") {
  const auto none = plan_processes(settings("cuda:all", std::nullopt), kCpus);
  REQUIRE(none.size() == 1);
  // It says what is wrong when it opens it.
  CHECK(none[0] == ProcessShare{{1, 1}, "cuda:0", 8, std::nullopt});
}

TEST_CASE("processes that would share a device are refused") {
  CHECK(code_of_plan(settings("auto", 3), kGpus) == ExitCode::kUsage);
  CHECK(code_of_plan(settings("cuda:all", 3), kGpus) == ExitCode::kUsage);
  CHECK(code_of_plan(settings("auto", 2), kApple) == ExitCode::kUsage);
  CHECK(code_of_plan(settings("auto", std::nullopt), kApple) == ExitCode::kDone);
}

TEST_CASE("a share survives a command line") {
  for (const ProcessShare& share : {ProcessShare{{2, 8}, "cuda:1", 4, 1ULL << 40},
                                    ProcessShare{{1, 1}, "auto", 1, std::nullopt}}) {
    CHECK(process_share_from_text(to_text(share)) == share);
  }
  for (const char* text : {"", "1,2", "1,2,cpu,1", "3,2,cpu,1,-", "0,2,cpu,1,-", "1,2,cpu,0,-",
                           "1,2,cpu,1,x", "2,cpu,1,-", "1,2,cpu,1,-,"}) {
    INFO(text);
    CHECK_THROWS_AS(process_share_from_text(text), Error);
  }
}

TEST_CASE("a process leaves log file, summary and display to who started it") {
  config::RunConfig config = settings("cuda:all", std::nullopt);
  config.quiet = config.json = config.overwrite = true;
  config.log_file = "log";
  config.progress = ProgressStyle::kBar;
  take_share(config, {{2, 2}, "cuda:1", 3, 77});
  CHECK(*config.shard->index == 2);
  CHECK(*config.shard->count == 2);
  CHECK(config.device == "cuda:1");
  CHECK(config.memory_limit == 77);
  CHECK(config.progress == ProgressStyle::kJson);
  CHECK(!(config.quiet || config.json || config.overwrite || config.log_file));
}

}  // namespace
}  // namespace longhaul::launch
