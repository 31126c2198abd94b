#include <catch2/catch.hpp>
#include <csignal>
#include <deque>

#include "launch/supervisor.hpp"

namespace longhaul::launch {
namespace {

// Each listen() gives the next of the events that were prepared; a process that was asked to stop
// or killed ends so.
struct FakeProcesses : Processes {
  void start(const ProcessShare& share) override {
    if (fail_at_start && *fail_at_start == started.size()) {
      throw Error(ExitCode::kUnavailable, "no more processes", "wait");
    }
    started.push_back(share);
    ended.push_back(false);
  }
  std::vector<ProcessEvent> listen(std::chrono::milliseconds) override {
    ++listened;
    std::vector<ProcessEvent> now;
    if (asked && end_when_asked) {
      end_all(ProcessEnd{75, 0}, now);
    } else if (killed) {
      end_all(ProcessEnd{std::nullopt, SIGKILL}, now);
    } else if (!events.empty()) {
      now.push_back(events.front());
      events.pop_front();
      if (std::holds_alternative<ProcessEnd>(now.back().what)) {
        ended[now.back().process] = true;
      }
    }
    return now;
  }
  void ask_to_stop() override { ++asked; }
  void kill() override { ++killed; }

  void end_all(ProcessEnd how, std::vector<ProcessEvent>& now) {
    for (std::size_t i = 0; i < started.size(); ++i) {
      if (!ended[i]) {
        ended[i] = true;
        now.push_back({i, how});
      }
    }
  }

  std::optional<std::size_t> fail_at_start;
  bool end_when_asked = true;
  std::deque<ProcessEvent> events;
  std::vector<ProcessShare> started;
  std::vector<bool> ended;
  int asked = 0;
  int killed = 0;
  int listened = 0;
};

struct Lines : Log {
  void write(LogLevel level, const std::string& message) override {
    lines.push_back(std::string(to_string(level)) + " " + message);
  }
  std::vector<std::string> lines;
};

struct Scene {
  std::vector<ProcessShare> shares{
      {{1, 3}, "cpu", 1, {}}, {{2, 3}, "cpu", 1, {}}, {{3, 3}, "cpu", 1, {}}};
  FakeProcesses processes;
  Lines log;
  std::vector<std::string> noted;
  std::vector<Progress> shown;
  int stop_at = 1 << 20;  // the look at which somebody asks
  int at_once_at = 1 << 20;

  SupervisedRun run() {
    return supervise(shares,
                     {.processes = processes,
                      .log = log,
                      .note = [this](LogLevel, const std::string& text) { noted.push_back(text); },
                      .stop = [this] { return processes.listened >= stop_at; },
                      .stop_at_once = [this] { return processes.listened >= at_once_at; },
                      .show = [this](const Progress& sum) { shown.push_back(sum); }});
  }
  void end(std::size_t process, int code) {
    processes.events.push_back({process, ProcessEnd{code, 0}});
  }
  void end_all() {
    for (const std::size_t process : {0U, 1U, 2U}) {
      end(process, 0);
    }
  }
  void end_by(std::size_t process, int signal) {
    processes.events.push_back({process, ProcessEnd{std::nullopt, signal}});
  }
  void say(std::size_t process, const std::string& line) {
    processes.events.push_back({process, line});
  }
};

TEST_CASE("all are started and waited for") {
  Scene scene;
  scene.end(1, 0);
  scene.end(0, 0);
  scene.end(2, 0);
  const SupervisedRun run = scene.run();
  CHECK(run.code == ExitCode::kDone);
  CHECK(run.words.empty());
  CHECK(scene.processes.started == scene.shares);
  CHECK(scene.processes.asked == 0);
}

TEST_CASE("one that dies leaves the others to finish, and the worst code counts") {
  Scene scene;
  scene.end_by(1, SIGKILL);
  scene.end(0, 0);
  scene.end(2, 74);
  const SupervisedRun run = scene.run();
  CHECK(run.code == ExitCode::kIo);
  CHECK(scene.processes.asked == 0);
  REQUIRE(run.words.size() == 2);
  CHECK(run.words[0].starts_with("shard 2/3 was killed (signal 9"));
  CHECK(run.words[1] == "shard 3/3 ended with 74");
  // Of the last one there are no others.
  CHECK(scene.log.lines ==
        std::vector<std::string>{"warning " + run.words[0] + "; the others go on"});
}

TEST_CASE("codes from worst to best are as the contract has them") {
  const std::vector<int> order{70, 71, 74, 73, 2, 65, 69, 75, 3, 0};
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = 0; j < order.size(); ++j) {
      CHECK(is_worse(static_cast<ExitCode>(order[i]), static_cast<ExitCode>(order[j])) == (i < j));
    }
  }
}

TEST_CASE("how a process ended becomes a code") {
  CHECK(code_of({65, 0}) == ExitCode::kBadData);
  CHECK(code_of({127, 0}) == ExitCode::kInternal);
  CHECK(code_of({std::nullopt, SIGSEGV}) == ExitCode::kInternal);
  CHECK(code_of({std::nullopt, SIGABRT}) == ExitCode::kInternal);
  CHECK(code_of({std::nullopt, SIGKILL}) == ExitCode::kInterrupted);
}

TEST_CASE("a wish to stop is passed on once, and waited for") {
  Scene scene;
  scene.say(0, "{}");
  scene.stop_at = 1;
  const SupervisedRun run = scene.run();
  CHECK(run.asked_to_stop);
  CHECK(run.code == ExitCode::kInterrupted);
  CHECK(scene.processes.asked == 1);
  CHECK(scene.processes.killed == 0);
}

TEST_CASE("a process that had no time to listen was stopped, not killed") {
  Scene scene;
  scene.stop_at = 0;
  scene.processes.end_when_asked = false;
  scene.end_by(0, SIGTERM);
  scene.end(1, 75);
  scene.end(2, 0);
  const SupervisedRun run = scene.run();
  CHECK(run.code == ExitCode::kInterrupted);
}

TEST_CASE("asked a second time, those that run are ended at once") {
  Scene scene;
  scene.stop_at = 0;
  scene.at_once_at = 3;
  scene.processes.end_when_asked = false;
  const SupervisedRun run = scene.run();
  CHECK(scene.processes.killed == 1);
  CHECK(run.code == ExitCode::kInterrupted);
}

TEST_CASE("where one cannot be started, those that were are stopped first") {
  Scene scene;
  scene.processes.fail_at_start = 2;
  CHECK_THROWS_AS(scene.run(), Error);
  CHECK(scene.processes.asked == 1);
  CHECK(scene.processes.ended == std::vector<bool>{true, true});
}

TEST_CASE("a person reads the first one's messages, and of the others what is new and matters") {
  Scene scene;
  scene.say(0, message_line(LogLevel::kInfo, "loaded"));
  scene.say(1, message_line(LogLevel::kInfo, "loaded in 2 s"));
  scene.say(1, message_line(LogLevel::kWarning, "odd"));
  scene.say(0, message_line(LogLevel::kWarning, "odd"));
  scene.say(2, "Bus error");
  scene.say(2, failure_line("longhaul: bad; do this"));
  scene.end_all();
  scene.run();
  CHECK(scene.log.lines ==
        std::vector<std::string>{"info shard 1/3: loaded", "warning shard 2/3: odd",
                                 "warning shard 3/3: Bus error", "error shard 3/3: bad; do this"});
  CHECK(scene.noted == std::vector<std::string>{"shard 2/3: loaded in 2 s", "shard 1/3: odd"});
}

TEST_CASE("a message that names its shard is not given the name again") {
  Scene scene;
  scene.say(0, message_line(LogLevel::kInfo, "shard 1 of 3 of out"));
  scene.say(0, message_line(LogLevel::kInfo, "shard 2 of 3 is odd"));
  scene.end_all();
  scene.run();
  CHECK(scene.log.lines == std::vector<std::string>{"info shard 1 of 3 of out",
                                                    "info shard 1/3: shard 2 of 3 is odd"});
}

TEST_CASE("what another process said first is still heard from the first one") {
  Scene scene;
  scene.say(1, message_line(LogLevel::kInfo, "loaded"));
  scene.say(0, message_line(LogLevel::kInfo, "loaded"));
  scene.say(2, message_line(LogLevel::kInfo, "loaded"));
  scene.say(0, message_line(LogLevel::kInfo, "loaded"));
  scene.end_all();
  scene.run();
  CHECK(scene.log.lines == std::vector<std::string>{"info shard 1/3: loaded"});
  CHECK(scene.noted ==
        std::vector<std::string>{"shard 2/3: loaded", "shard 3/3: loaded", "shard 1/3: loaded"});
}

TEST_CASE("what a process says once is said once for all") {
  Scene scene;
  scene.say(1, message_line(LogLevel::kWarning, "rejected as empty: record 5 (said once; see)"));
  scene.say(2, message_line(LogLevel::kWarning, "rejected as empty: record 9 (said once; see)"));
  scene.say(2, message_line(LogLevel::kWarning, "rejected as long: record 7 (said once; see)"));
  scene.say(1, message_line(LogLevel::kWarning, "file: one thing"));
  scene.say(2, message_line(LogLevel::kWarning, "file: another"));
  scene.end_all();
  scene.run();
  CHECK(scene.log.lines.size() == 4);
  CHECK(scene.noted ==
        std::vector<std::string>{"shard 3/3: rejected as empty: record 9 (said once; see)"});
}

TEST_CASE("what is shown adds up") {
  Scene scene;
  scene.say(0, R"({"event":"progress","records_done":5,"records_total":10})");
  scene.say(2, R"({"event":"progress","records_done":1,"records_total":10})");
  scene.say(1, R"({"event":"progress","records_done":2,"records_total":10})");
  scene.say(0, R"({"event":"progress","records_done":10,"records_total":10})");
  scene.end_all();
  scene.run();
  CHECK(scene.shown.at(1).records_done == 6);
  CHECK(!scene.shown.at(1).records_total);
  CHECK(scene.shown.back().records_done == 13);
  CHECK(scene.shown.back().records_total == 30);
}

}  // namespace
}  // namespace longhaul::launch
