#include "console.hpp"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <mutex>

#include "base/error.hpp"
#include "config/run_config.hpp"
#include "launch/process_lines.hpp"

namespace longhaul::app {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

LogLevel from_spdlog(spdlog::level::level_enum level) {
  for (const Word<LogLevel>& word : Words<LogLevel>::all) {
    if (to_spdlog(word.value) == level) {
      return word.value;
    }
  }
  return LogLevel::kError;
}

// A message is put where the status line was, and the status line drawn again below it, in one
// write, so that nothing flickers and nothing of another thread comes between.
class TerminalSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit TerminalSink(bool for_parent) : for_parent_(for_parent) {}

  void set_status(const std::string& line) {
    const std::lock_guard lock(mutex_);
    if (line.empty() && status_.empty()) {
      return;
    }
    status_ = line;
    write_all("\r" + status_ + "\x1b[K");
  }

  void print(const std::string& line) {
    const std::lock_guard lock(mutex_);
    put(line + "\n");
  }

  void fail(const std::string& line) { print(for_parent_ ? launch::failure_line(line) : line); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (for_parent_) {
      put(launch::message_line(from_spdlog(message.level),
                               {message.payload.data(), message.payload.size()}) +
          "\n");
      return;
    }
    spdlog::memory_buf_t formatted;
    formatter_->format(message, formatted);
    const std::string prefix = message.level >= spdlog::level::err    ? "error: "
                               : message.level >= spdlog::level::warn ? "warning: "
                                                                      : "";
    put(prefix + std::string(formatted.data(), formatted.size()));
  }
  void flush_() override {}

 private:
  void put(const std::string& text) {
    write_all(status_.empty() ? text : "\r\x1b[K" + text + status_ + "\x1b[K");
  }

  static void write_all(const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
      const ssize_t count = ::write(STDERR_FILENO, text.data() + done, text.size() - done);
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count <= 0) {
        return;  // nobody is listening any more
      }
      done += static_cast<std::size_t>(count);
    }
  }

  const bool for_parent_;
  std::string status_;
};

}  // namespace

struct Console::Impl {
  std::shared_ptr<TerminalSink> terminal;  // shared with the logger, which holds its sinks so
  spdlog::sink_ptr file;                   // shared likewise; empty without --log-file
  std::unique_ptr<spdlog::logger> logger;
};

Console::Console(const ConsoleSettings& settings) : impl_(std::make_unique<Impl>()) {
  impl_->terminal = std::make_shared<TerminalSink>(settings.for_parent);
  impl_->terminal->set_pattern("%v");
  if (settings.quiet) {
    impl_->terminal->set_level(spdlog::level::warn);
  }
  std::vector<spdlog::sink_ptr> sinks{impl_->terminal};
  if (settings.log_file) {
    try {
      const auto file =
          std::make_shared<spdlog::sinks::basic_file_sink_mt>(*settings.log_file, false);
      file->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
      impl_->file = file;
      sinks.push_back(file);
    } catch (const spdlog::spdlog_ex& error) {
      throw Error(ExitCode::kIo, std::string("--log-file: ") + error.what(),
                  "name a file that can be written");
    }
  }
  impl_->logger = std::make_unique<spdlog::logger>("longhaul", sinks.begin(), sinks.end());
  impl_->logger->set_level(to_spdlog(settings.level));
  impl_->logger->flush_on(spdlog::level::trace);
  impl_->logger->set_error_handler([](const std::string&) {});
}

Console::~Console() {
  impl_->terminal->set_status("");
}

void Console::write(LogLevel level, const std::string& message) {
  impl_->logger->log(to_spdlog(level), "{}", message);
}

void Console::set_status(const std::string& line) {
  impl_->terminal->set_status(line);
}

void Console::print(const std::string& line) {
  impl_->terminal->print(line);
}

void Console::note(LogLevel level, const std::string& message) {
  if (impl_->file && impl_->logger->should_log(to_spdlog(level))) {
    impl_->file->log({"longhaul", to_spdlog(level), message});
    impl_->file->flush();
  }
}

void Console::fail(const std::string& line) {
  impl_->terminal->set_status("");
  impl_->terminal->fail(line);
  if (impl_->file) {
    impl_->file->log({"longhaul", spdlog::level::critical, line});
    impl_->file->flush();
  }
}

bool stderr_is_terminal(const std::string& term) {
  return isatty(STDERR_FILENO) == 1 && !term.empty() && term != "dumb";
}

unsigned stderr_columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  return 80;
}

}  // namespace longhaul::app
