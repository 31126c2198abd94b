#include "signals.hpp"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <iostream>

#include "base/error.hpp"

namespace longhaul::app {
namespace {

std::atomic<int> first_signal{0};
std::atomic<int> interrupts{0};
std::atomic<bool> second_ends{true};
std::atomic<bool> holding{false};
pthread_t holder;  // set before `holding`
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
              "a signal handler may only use these");

constexpr std::array kStopping{SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU};

extern "C" void on_stop_signal(int number) {
  if (holding) {
    pthread_kill(holder, number);  // pending there, over an exec, too
    return;
  }
  int none = 0;
  first_signal.compare_exchange_strong(none, number);
  if (number == SIGINT && interrupts.fetch_add(1) > 0 && second_ends) {
    constexpr char text[] =
        "\nlonghaul: stopped at once by a second interrupt; what is committed is safe, run the "
        "same command to continue\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text, sizeof text - 1);
    ::_exit(to_int(ExitCode::kInterrupted));
  }
}

}  // namespace

StopSignals::StopSignals(SecondInterrupt second) {
  second_ends = second == SecondInterrupt::kEnds;
  first_signal = 0;
  interrupts = 0;
  sigset_t mask;
  sigemptyset(&mask);
  for (const int number : kStopping) {
    Saved saved{number, {}};
    sigaction(number, nullptr, &saved.action);
    if (number == SIGHUP && saved.action.sa_handler == SIG_IGN) {
      continue;
    }
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    sigaction(number, &action, nullptr);
    saved_.push_back(saved);
    sigaddset(&mask, number);
  }
  // A process that was replaced by exec inherits what was blocked.
  sigprocmask(SIG_UNBLOCK, &mask, nullptr);
}

void StopSignals::hold() {
  sigset_t mask;
  sigemptyset(&mask);
  for (const int number : kStopping) {
    sigaddset(&mask, number);
  }
  sigprocmask(SIG_BLOCK, &mask, nullptr);
  holder = pthread_self();
  holding = true;
}

StopSignals::~StopSignals() {
  for (const Saved& saved : saved_) {
    sigaction(saved.number, &saved.action, nullptr);
  }
}

bool StopSignals::requested() {
  return first_signal.load() != 0;
}

bool StopSignals::interrupted_twice() {
  return interrupts.load() > 1;
}

int StopSignals::signal() {
  return first_signal.load();
}

std::string StopSignals::signal_name() {
  switch (first_signal.load()) {
    case SIGTERM:
      return "TERM";
    case SIGINT:
      return "INT";
    case SIGHUP:
      return "HUP";
    case SIGUSR1:
      return "USR1";
    case SIGUSR2:
      return "USR2";
    case SIGXCPU:
      return "XCPU";
    default:
      return "";
  }
}

void abandon_run(const std::string& output, const std::string& command) {
  std::cerr << "longhaul: interrupted; a batch that would not end was abandoned, everything before "
               "it is safe in "
            << output << "; continue with: " << command << std::endl;
  _exit(to_int(ExitCode::kInterrupted));
}

}  // namespace longhaul::app
