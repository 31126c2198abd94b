// What reaches standard error and the log file, byte for byte, and what signals do.
#include "console.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <sstream>
#include <thread>

#include "base/error.hpp"
#include "progress.hpp"
#include "signals.hpp"

namespace longhaul::app {
namespace {

using namespace std::chrono_literals;

std::string read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

// Runs `action` with standard error in a file and returns what was written.
std::string captured(const std::function<void()>& action) {
  std::FILE* file = std::tmpfile();
  REQUIRE(file != nullptr);
  const int saved = dup(STDERR_FILENO);
  dup2(fileno(file), STDERR_FILENO);
  action();
  dup2(saved, STDERR_FILENO);
  close(saved);
  std::string text(static_cast<std::size_t>(lseek(fileno(file), 0, SEEK_END)), '\0');
  const ssize_t size = pread(fileno(file), text.data(), text.size(), 0);
  std::fclose(file);
  REQUIRE(size == static_cast<ssize_t>(text.size()));
  return text;
}

TEST_CASE("messages above a bar take its place and it is drawn again below them") {
  const std::string text = captured([] {
    Console console({});
    console.set_status("[=> ]");
    console.info("first");
    console.warning("second");
    console.debug("not shown");
    console.set_status("[==>]");
  });
  CHECK(text ==
        "\r[=> ]\x1b[K"
        "\r\x1b[Kfirst\n[=> ]\x1b[K"
        "\r\x1b[Kwarning: second\n[=> ]\x1b[K"
        "\r[==>]\x1b[K"
        "\r\x1b[K");
}

TEST_CASE("without a bar there is not one control character") {
  const std::string text = captured([] {
    Console console({});
    console.set_status("");
    console.info("100 % {}");
    console.error("bad");
  });
  CHECK(text == "100 % {}\nerror: bad\n");
}

TEST_CASE("quiet leaves only warnings on standard error, the log file has all, appended") {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("longhaul-log-" + std::to_string(getpid())))
          .string();
  for (int session = 0; session < 2; ++session) {
    const std::string text = captured([&] {
      ConsoleSettings settings;
      settings.quiet = true;
      settings.log_file = path;
      Console console(settings);
      console.info("detail");
      console.warning("look");
      console.fail("longhaul: the end");
    });
    CHECK(text == "warning: look\nlonghaul: the end\n");
  }
  const std::string log = read_file(path);
  std::filesystem::remove(path);
  const std::regex line(
      R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (info detail|warning look|critical longhaul: the end)\n)");
  const auto matches = std::distance(std::sregex_iterator(log.begin(), log.end(), line), {});
  CHECK(matches == 6);
  CHECK(std::count(log.begin(), log.end(), '\n') == 6);
}

TEST_CASE("a log file that cannot be opened is an error that names it") {
  ConsoleSettings settings;
  settings.log_file = "/dev/null/x.log";
  try {
    const Console console(settings);
    FAIL("no error");
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kIo);
    CHECK(std::string(error.what()).find("/dev/null/x.log") != std::string::npos);
  }
}

TEST_CASE("plain lines come every half minute, a bar ten times a second, JSON once") {
  const auto lines_in_two_minutes = [](ProgressStyle style) {
    const std::string text = captured([&] {
      Console console({});
      const ProgressDisplay::TimePoint start{};
      ProgressDisplay display(console, style, start);
      ProgressSnapshot snapshot;
      for (auto now = 0ms; now <= 120s; now += 10ms) {
        snapshot.records_done += 1;
        display.update(snapshot, start + now);
      }
      display.finish(snapshot, start + 120s);
      display.finish(snapshot, start + 121s);
      display.update(snapshot, start + 200s);
    });
    const char mark = style == ProgressStyle::kBar ? '\r' : '\n';
    return std::count(text.begin(), text.end(), mark);
  };
  CHECK(lines_in_two_minutes(ProgressStyle::kLines) == 4 + 1);
  CHECK(lines_in_two_minutes(ProgressStyle::kJson) == 121 + 1);
  CHECK(lines_in_two_minutes(ProgressStyle::kBar) == 1201 + 1);
  CHECK(lines_in_two_minutes(ProgressStyle::kNone) == 0);
}

TEST_CASE("auto is nothing when quiet, and lines where standard error is no terminal") {
  config::RunConfig config;
  captured([&] { CHECK(resolve_style(config, {{"TERM", "xterm"}}) == ProgressStyle::kLines); });
  config.progress = ProgressStyle::kBar;
  CHECK(resolve_style(config, {{"TERM", "dumb"}}) == ProgressStyle::kBar);
  config.progress = ProgressStyle::kAuto;
  config.quiet = true;
  CHECK(resolve_style(config, {{"TERM", "xterm"}}) == ProgressStyle::kNone);
}

TEST_CASE("each stop signal sets the flag and the handlers before come back") {
  for (const int number : {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGINT}) {
    INFO(number);
    struct sigaction before {};
    sigaction(number, nullptr, &before);
    {
      const StopSignals signals;
      CHECK(!StopSignals::requested());
      raise(number);
      CHECK(StopSignals::requested());
      CHECK(StopSignals::signal() == number);
    }
    struct sigaction after {};
    sigaction(number, nullptr, &after);
    CHECK(after.sa_handler == before.sa_handler);
  }
  CHECK(StopSignals::signal_name() == "INT");
}

// Exit status of a child that runs `action`.
int child_status(const std::function<void()>& action) {
  const pid_t child = fork();
  if (child == 0) {
    action();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST_CASE("a second INT ends the process at once with 75, another signal twice does not") {
  const std::string text = captured([] {
    const int status = child_status([] {
      const StopSignals signals;
      raise(SIGINT);
      raise(SIGINT);
      _exit(1);  // not reached
    });
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 75);
  });
  CHECK(text.find("second interrupt") != std::string::npos);
  const int status = child_status([] {
    const StopSignals signals;
    raise(SIGTERM);
    raise(SIGTERM);
    raise(SIGINT);
    _exit(StopSignals::signal() == SIGTERM ? 9 : 1);
  });
  CHECK(WEXITSTATUS(status) == 9);
}

TEST_CASE("a signal blocked by the process before is unblocked, and nohup's HUP stays ignored") {
  const int status = child_status([] {
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigprocmask(SIG_BLOCK, &mask, nullptr);
    std::signal(SIGHUP, SIG_IGN);
    const StopSignals signals;
    raise(SIGHUP);
    const bool ignored = !StopSignals::requested();
    raise(SIGTERM);
    _exit(ignored && StopSignals::signal() == SIGTERM ? 9 : 1);
  });
  CHECK(WEXITSTATUS(status) == 9);
}

TEST_CASE("a held signal reaches the thread that will exec, and waits there") {
  const int status = child_status([] {
    const StopSignals signals;
    StopSignals::hold();
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    // Another thread of a library, which blocks nothing, gets it first.
    std::thread other([&] {
      pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
      kill(getpid(), SIGTERM);
    });
    other.join();
    sigset_t pending;
    sigpending(&pending);
    _exit(!StopSignals::requested() && sigismember(&pending, SIGTERM) == 1 ? 9 : 1);
  });
  CHECK(WEXITSTATUS(status) == 9);
}

}  // namespace
}  // namespace longhaul::app
