#include "child_processes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "base/error.hpp"
#include "own_flags.hpp"
#include "process_setup.hpp"

extern char** environ;  // NOLINT: POSIX has it so

namespace longhaul::app {
namespace {

[[noreturn]] void cannot_start(int error) {
  throw Error(ExitCode::kUnavailable,
              std::string("a process cannot be started: ") + std::strerror(error),
              "the same command continues; fewer --processes need less");
}

void make_pipe(int ends[2]) {
  if (pipe(ends) != 0) {
    cannot_start(errno);
  }
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
}

// What a child is started with, besides its arguments.
class SpawnRecipe {
 public:
  SpawnRecipe(int input, int error, const std::optional<std::string>& directory) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, error, STDERR_FILENO);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (directory) {
      posix_spawn_file_actions_addchdir_np(&actions_, directory->c_str());
    }
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes_, 0);
  }
  ~SpawnRecipe() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnRecipe(const SpawnRecipe&) = delete;
  SpawnRecipe& operator=(const SpawnRecipe&) = delete;

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

launch::ProcessEnd end_of(int status) {
  return WIFEXITED(status) ? launch::ProcessEnd{WEXITSTATUS(status), 0}
                           : launch::ProcessEnd{std::nullopt, WTERMSIG(status)};
}

}  // namespace

ChildProcesses::ChildProcesses(std::vector<std::string> arguments,
                               std::optional<std::string> directory)
    : arguments_(std::move(arguments)), directory_(std::move(directory)) {
  make_pipe(lifeline_);
}

ChildProcesses::~ChildProcesses() {
  for (const Child& child : children_) {
    if (child.said >= 0) {
      close(child.said);
    }
  }
  close(lifeline_[0]);
  close(lifeline_[1]);
  end_all();
}

// None is left running by an exception that ends this process's watch: what is committed is safe.
void ChildProcesses::end_all() {
  using Steady = std::chrono::steady_clock;
  constexpr std::chrono::seconds kPatience{10};
  constexpr std::chrono::milliseconds kMoment{20};
  send(SIGTERM);
  const Steady::time_point end = Steady::now() + kPatience;
  for (Child& child : children_) {
    while (!child.ended) {
      int status = 0;
      const pid_t found = waitpid(child.pid, &status, WNOHANG);
      if (found == child.pid || (found < 0 && errno != EINTR)) {
        child.ended = true;
      } else if (Steady::now() < end) {
        std::this_thread::sleep_for(kMoment);
      } else {
        ::kill(child.pid, SIGKILL);
        while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
        }
        child.ended = true;
      }
    }
  }
}

void ChildProcesses::start(const launch::ProcessShare& share) {
  int ends[2];
  make_pipe(ends);
  std::vector<std::string> words = with_own_flag(arguments_, kShareFlag, to_text(share));
  std::vector<char*> pointers;
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  const SpawnRecipe recipe(lifeline_[0], ends[1], directory_);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, own_executable(arguments_.front()).c_str(), recipe.actions(),
                                recipe.attributes(), pointers.data(), environ);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    cannot_start(error);
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  children_.push_back({pid, ends[0], "", false});
}

std::vector<launch::ProcessEvent> ChildProcesses::listen(std::chrono::milliseconds wait) {
  std::vector<pollfd> open;
  for (const Child& child : children_) {
    if (child.said >= 0) {
      open.push_back({child.said, POLLIN, 0});
    }
  }
  // One that has closed its standard error is about to end.
  const bool ending = open.size() < static_cast<std::size_t>(std::count_if(
                                        children_.begin(), children_.end(),
                                        [](const Child& child) { return !child.ended; }));
  constexpr std::chrono::milliseconds kMoment{5};
  poll(open.data(), open.size(),
       static_cast<int>((ending ? std::min(wait, kMoment) : wait).count()));
  std::vector<launch::ProcessEvent> events;
  for (std::size_t i = 0; i < children_.size(); ++i) {
    Child& child = children_[i];
    if (child.ended) {
      continue;
    }
    int status = 0;
    const bool over = waitpid(child.pid, &status, WNOHANG) == child.pid;
    read(i, events);
    if (over) {
      child.ended = true;
      if (!child.line.empty()) {
        events.push_back({i, std::move(child.line)});
      }
      events.push_back({i, end_of(status)});
    }
  }
  return events;
}

// All that is there.
void ChildProcesses::read(std::size_t index, std::vector<launch::ProcessEvent>& events) {
  Child& child = children_[index];
  std::array<char, 1 << 16> buffer{};
  while (child.said >= 0) {
    const ssize_t count = ::read(child.said, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0 && errno == EAGAIN) {
      return;
    }
    if (count <= 0) {
      close(child.said);
      child.said = -1;
      return;
    }
    child.line.append(buffer.data(), static_cast<std::size_t>(count));
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = child.line.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      events.push_back({index, child.line.substr(begin, end - begin)});
    }
    child.line.erase(0, begin);
  }
}

void ChildProcesses::send(int signal) {
  for (const Child& child : children_) {
    if (!child.ended) {
      ::kill(child.pid, signal);
    }
  }
}

void ChildProcesses::ask_to_stop() {
  send(SIGTERM);
}

void ChildProcesses::kill() {
  send(SIGKILL);
}

void stop_with_parent() {
  std::thread([] {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);  // signals are others' to take
    char byte = 0;
    while (true) {
      const ssize_t count = read(STDIN_FILENO, &byte, 1);
      if (count == 0 || (count < 0 && errno != EINTR)) {
        break;
      }
    }
    ::kill(getpid(), SIGTERM);
  }).detach();
}

}  // namespace longhaul::app
