#include "process_setup.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <system_error>

#include "base/error.hpp"

namespace longhaul::app {

void open_standard_descriptors() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(number, F_GETFD) >= 0 || errno != EBADF) {
      continue;
    }
    // The lowest number that is free, which is this one.
    const int mode = number == STDERR_FILENO ? O_WRONLY : O_RDONLY;
    if (open("/dev/null", mode) != number) {
      _exit(to_int(ExitCode::kIo));
    }
  }
}

void ignore_signals_of_writing() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void allow_many_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

std::string own_executable([[maybe_unused]] const std::string& first_argument) {
#ifdef __linux__
  return "/proc/self/exe";
#else
  return first_argument;
#endif
}

std::optional<std::string> working_directory() {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::current_path(error);
  return error ? std::nullopt : std::optional(path.string());
}

void require_working_directory() {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::current_path(error);
  if (path.empty() && error == std::errc::no_such_file_or_directory) {
    throw Error(ExitCode::kIo, "the working directory was deleted",
                "change to a folder that exists (cd) and give the command again");
  }
}

}  // namespace longhaul::app
