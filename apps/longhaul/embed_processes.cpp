#include "embed_processes.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "backend.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "child_processes.hpp"
#include "device/memory_reading.hpp"
#include "launch/supervisor.hpp"
#include "own_flags.hpp"
#include "process_setup.hpp"
#include "progress.hpp"
#include "run_environment.hpp"
#include "session/auto_settings.hpp"
#include "session/merge.hpp"
#include "session/process_output.hpp"
#include "signals.hpp"
#include "store/shards.hpp"
#include "usable_threads.hpp"
#include "version.hpp"

namespace longhaul::app {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// How long those are waited for that a killed process had started: they end with their batch.
constexpr std::chrono::seconds kPatience{30};

// Counts the time in which this process looked after the others: one that was stopped, as a machine
// that sleeps stops it, looks seldom.
class WorkClock {
 public:
  explicit WorkClock(Clock::time_point start) : last_(start) {}
  double at(Clock::time_point now) {
    seconds_ +=
        std::chrono::duration<double>(std::min<Clock::duration>(now - last_, kMost)).count();
    last_ = now;
    return seconds_;
  }

 private:
  static constexpr Clock::duration kMost = 2s;

  Clock::time_point last_;
  double seconds_ = 0;
};

ProgressSnapshot to_show(const launch::Progress& sum, Clock::duration elapsed, double at_work) {
  ProgressSnapshot snapshot;
  snapshot.records_done = sum.records_done;
  snapshot.records_total = sum.records_total;
  snapshot.bytes_read = sum.bytes_read;
  snapshot.bytes_total = sum.bytes_total;
  snapshot.rejected = sum.rejected;
  snapshot.batches = sum.batches;
  snapshot.rss = sum.rss;
  snapshot.device_allocated = sum.device_allocated;
  snapshot.elapsed = std::chrono::duration<double>(elapsed).count();
  snapshot.at_work = at_work;
  snapshot.seconds_left = sum.seconds_left;
  snapshot.left_is_approximate = sum.left_is_approximate;
  return snapshot;
}

// /dev/stdin and its like, also where that is a file: the processes have another standard input.
bool is_standard_input(std::filesystem::path path) {
  namespace fs = std::filesystem;
  constexpr int kMostLinks = 40;
  const std::string own = "/proc/" + std::to_string(getpid()) + "/fd";
  std::error_code error;
  for (int links = 0; links < kMostLinks; ++links) {
    const fs::path folder = fs::canonical(path.has_parent_path() ? path.parent_path() : ".", error);
    if (error) {
      return false;
    }
    if (folder == own || folder == "/dev/fd") {
      return path.filename() == "0";
    }
    const fs::path target = fs::read_symlink(path, error);
    if (error) {
      return false;
    }
    path = folder / target;
  }
  return false;
}

// A pipe is read once: several processes would each get a part of it, or wait for ever. What is not
// there is for the processes to refuse.
void require_readable_by_several(const config::RunConfig& config) {
  std::vector<std::string> paths = config.inputs;
  for (const std::optional<std::string>& path : {config.files_from, config.card}) {
    if (path) {
      paths.push_back(*path);
    }
  }
  for (const std::string& path : paths) {
    struct stat status {};
    const bool there = stat(path.c_str(), &status) == 0;
    if (there &&
        ((!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) || is_standard_input(path))) {
      throw Error(ExitCode::kUsage,
                  printable(path, 400) + " is a stream, which cannot be read by several processes",
                  "write it to a file first");
    }
  }
}

class DividedRun {
 public:
  DividedRun(const config::ResolvedConfig& resolved,
             const std::vector<launch::ProcessShare>& shares, Context& context,
             const std::optional<std::string>& started_in, MetricsFile* metrics)
      : resolved_(resolved),
        config_(resolved.config),
        shares_(shares),
        context_(context),
        console_(*context.console),
        started_in_(started_in),
        metrics_(metrics),
        files_(posix_files()) {}

  ProcessesEnd run() {
    require_readable_by_several(config_);
    const bool made_output = !files_->exists(config_.output);
    const session::ProcessOutput found = session::prepare_process_output(
        *files_, config_, shares_.size(), lock_holder(context_.environment));
    if (found.complete) {
      finish_removing();
      return {true, "", ExitCode::kDone};
    }
    if (!wait_for_orphans(found.shards)) {
      return interrupted();
    }
    const launch::SupervisedRun done = embed(found.shards);
    if (done.code == ExitCode::kDone) {
      return {false, "", merge()};
    }
    if (made_output) {
      session::remove_empty_output(*files_, config_.output);
    }
    const bool only_stopped =
        std::all_of(done.ends.begin(), done.ends.end(), [](const launch::ProcessEnd& end) {
          return end.code == to_int(ExitCode::kInterrupted) || end.code == to_int(ExitCode::kDone);
        });
    return only_stopped ? interrupted() : failed(done);
  }

 private:
  bool stop() const {
    return StopSignals::requested() ||
           (config_.time_limit && Clock::now() - started_ >= *config_.time_limit);
  }

  // Shards that a merge had no time to remove.
  void finish_removing() {
    if (store::has_shards(*files_, config_.output)) {
      merge();
    }
  }

  bool wait_for_orphans(const std::vector<Shard>& shards) const {
    bool told = false;
    for (const Clock::time_point end = Clock::now() + kPatience; Clock::now() < end;) {
      const std::string busy = session::busy_shard(*files_, config_.output, shards);
      if (busy.empty()) {
        break;
      }
      if (stop()) {
        return false;
      }
      if (!told) {
        console_.info(busy + ": waiting for it to end");
        told = true;
      }
      std::this_thread::sleep_for(100ms);
    }
    return true;
  }

  launch::SupervisedRun embed(const std::vector<Shard>& shards) {
    std::vector<launch::ProcessShare> shares;
    std::copy_if(shares_.begin(), shares_.end(), std::back_inserter(shares),
                 [&](const launch::ProcessShare& share) {
                   return std::find(shards.begin(), shards.end(), share.shard) != shards.end();
                 });
    ProgressDisplay display(console_, resolve_style(config_, context_.environment), started_,
                            metrics_);
    WorkClock at_work(started_);
    launch::Progress latest;
    ChildProcesses processes(without_own_flags(context_.arguments), started_in_);
    const launch::SupervisedRun done = launch::supervise(
        shares,
        {.processes = processes,
         .log = console_,
         .note = [this](LogLevel level, const std::string& text) { console_.note(level, text); },
         .stop = [this] { return stop(); },
         .stop_at_once = &StopSignals::interrupted_twice,
         .show =
             [&](const launch::Progress& sum) {
               latest = sum;
               const Clock::time_point now = Clock::now();
               display.update(to_show(sum, now - started_, at_work.at(now)), now);
             }});
    if (latest.batches > 0) {
      const Clock::time_point now = Clock::now();
      display.finish(to_show(latest, now - started_, at_work.at(now)), now);
    }
    return done;
  }

  ExitCode merge() {
    allow_many_files();
    session::MergeRequest request;
    request.output = config_.output;
    request.remove_shards = true;
    for (const char* name : {"device", "memory-limit", "progress", "quiet", "json", "log-file"}) {
      request.settings[name] = config::describe_config(resolved_).at(name);
    }
    if (config_.device == "auto") {
      request.settings.erase("device");  // what the processes found
    }
    return session::merge_shards(request, {.files = *files_,
                                           .log = console_,
                                           .lock_holder = lock_holder(context_.environment),
                                           .versions = versions(),
                                           .session = describe_session(context_.arguments),
                                           .utc_now = &utc_now,
                                           .stop = [this] { return stop(); },
                                           .progress = {}});
  }

  static ProcessesEnd interrupted() { return {false, "", ExitCode::kInterrupted}; }

  ProcessesEnd failed(const launch::SupervisedRun& done) const {
    constexpr std::size_t kNamed = 3;
    std::vector<std::string> words = done.words;
    if (words.size() > kNamed) {
      const std::size_t more = words.size() - kNamed;
      words.resize(kNamed);
      words.push_back("and " + format_count(more) + " more failed");
    }
    return {false,
            join(words, ", ") + "; nothing that was committed in " +
                printable(config_.output, 400) + " is lost",
            done.code};
  }

  const config::ResolvedConfig& resolved_;
  const config::RunConfig& config_;
  const std::vector<launch::ProcessShare>& shares_;
  Context& context_;
  Console& console_;
  const std::optional<std::string>& started_in_;
  MetricsFile* const metrics_;
  const Clock::time_point started_ = Clock::now();
  const StopSignals signals_{StopSignals::SecondInterrupt::kIsCounted};
  std::unique_ptr<Files> files_;
};

}  // namespace

std::vector<launch::ProcessShare> plan_processes(const config::RunConfig& config,
                                                 Context& context) {
  launch::Machine machine;
  machine.threads = usable_threads(context.environment).threads;
  machine.memory = session::host_limit({}, device::HostMemory().read());
  machine.devices = list_devices();
  return launch::plan_processes(config, machine);
}

ProcessesEnd embed_in_processes(const config::ResolvedConfig& resolved,
                                const std::vector<launch::ProcessShare>& shares, Context& context,
                                const std::optional<std::string>& started_in,
                                MetricsFile* metrics) {
  return DividedRun(resolved, shares, context, started_in, metrics).run();
}

}  // namespace longhaul::app
