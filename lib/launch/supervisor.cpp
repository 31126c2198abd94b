#include "launch/supervisor.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <set>

namespace longhaul::launch {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kWait = 100ms;

// Worst first.
constexpr std::array kOrder{70, 71, 74, 73, 2, 65, 69, 75, 3, 1, 0};

bool is_ours(int code) {
  return std::find(kOrder.begin(), kOrder.end(), code) != kOrder.end();
}

bool is_crash(int signal) {
  return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGILL ||
         signal == SIGFPE || signal == SIGSYS || signal == SIGTRAP;
}

std::string words_of(const Shard& shard, const ProcessEnd& end) {
  const std::string name = "shard " + to_string(shard);
  if (end.code) {
    return name + " ended with " + std::to_string(*end.code);
  }
  if (end.signal == SIGKILL) {
    return name + " was killed (signal 9: by somebody, or by the system for want of memory)";
  }
  return name + (is_crash(end.signal) ? " crashed (signal " : " was stopped (signal ") +
         std::to_string(end.signal) + ")";
}

class Supervisor {
 public:
  Supervisor(const std::vector<ProcessShare>& shares, const SupervisorHost& host)
      : shares_(shares), host_(host), progress_(shares.size()) {
    run_.ends.resize(shares.size());
  }

  SupervisedRun run() {
    std::optional<Error> failure;
    try {
      for (const ProcessShare& share : shares_) {
        host_.processes.start(share);
        ++running_;
      }
    } catch (const Error& error) {
      failure = error;
      ask_to_stop();
    }
    while (running_ > 0) {
      if (!run_.asked_to_stop && host_.stop()) {
        ask_to_stop();
      }
      if (!killed_ && host_.stop_at_once()) {
        killed_ = true;
        host_.processes.kill();
      }
      for (const ProcessEvent& event : host_.processes.listen(kWait)) {
        take(event);
      }
      host_.show(sum_of(progress_));
    }
    if (failure) {
      throw *failure;
    }
    return run_;
  }

 private:
  void ask_to_stop() {
    run_.asked_to_stop = true;
    host_.processes.ask_to_stop();
  }

  void take(const ProcessEvent& event) {
    if (const auto* line = std::get_if<std::string>(&event.what)) {
      hear(event.process, read_process_line(*line));
    } else {
      finish(event.process, std::get<ProcessEnd>(event.what));
    }
  }

  // All say much the same, so that a person gets what the first one tells of itself, and of the
  // others what was not said yet and matters.
  void hear(std::size_t process, const ProcessLine& line) {
    if (line.kind == ProcessLine::Kind::kProgress) {
      progress_[process] = line.progress;
      return;
    }
    if (line.text.empty()) {
      return;
    }
    constexpr std::string_view kProgram = "longhaul: ";
    const bool named = line.kind == ProcessLine::Kind::kFailure && line.text.starts_with(kProgram);
    const Shard& shard = shares_[process].shard;
    const bool names_itself = line.text.find(in_words(shard)) != std::string::npos;
    const std::string text = (names_itself ? "" : "shard " + to_string(shard) + ": ") +
                             line.text.substr(named ? kProgram.size() : 0);
    const bool matters = line.level >= LogLevel::kWarning;
    // What a process says once, as of the first record of its kind, is said once for all.
    const bool once = line.text.find("(said once;") != std::string::npos;
    const std::string said = once ? line.text.substr(0, line.text.find(':')) : line.text;
    // What was only noted was not heard: the first one may still say it.
    if ((process == 0 || matters) && heard_.insert(said).second) {
      host_.log.write(line.level, text);
    } else {
      host_.note(line.level, text);
    }
  }

  void finish(std::size_t process, ProcessEnd end) {
    --running_;
    progress_[process] = progress_[process].value_or(Progress());
    progress_[process]->over = true;
    const bool stopped = run_.asked_to_stop && !end.code &&
                         (end.signal == SIGTERM || (killed_ && end.signal == SIGKILL));
    if (stopped) {
      end = {to_int(ExitCode::kInterrupted), 0};
    }
    run_.ends[process] = end;
    const ExitCode code = code_of(end);
    if (is_worse(code, run_.code)) {
      run_.code = code;
    }
    if (code == ExitCode::kDone) {
      return;
    }
    const std::string words = words_of(shares_[process].shard, end);
    run_.words.push_back(words);
    const bool by_itself = end.code == to_int(ExitCode::kInterrupted);  // its time was over
    if (!run_.asked_to_stop && !by_itself && running_ > 0) {
      host_.log.warning(words + "; the others go on");
    }
  }

  const std::vector<ProcessShare>& shares_;
  const SupervisorHost& host_;
  std::vector<std::optional<Progress>> progress_;
  std::set<std::string> heard_;
  std::size_t running_ = 0;
  bool killed_ = false;
  SupervisedRun run_;
};

}  // namespace

ExitCode code_of(const ProcessEnd& end) {
  if (end.code) {
    return is_ours(*end.code) ? static_cast<ExitCode>(*end.code) : ExitCode::kInternal;
  }
  return is_crash(end.signal) ? ExitCode::kInternal : ExitCode::kInterrupted;
}

bool is_worse(ExitCode a, ExitCode b) {
  return std::find(kOrder.begin(), kOrder.end(), to_int(a)) <
         std::find(kOrder.begin(), kOrder.end(), to_int(b));
}

SupervisedRun supervise(const std::vector<ProcessShare>& shares, const SupervisorHost& host) {
  return Supervisor(shares, host).run();
}

}  // namespace longhaul::launch
