#include "recycle.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "own_flags.hpp"
#include "process_setup.hpp"

namespace longhaul::app {
namespace {

// Closes at exec, not now: a library's threads may still use theirs.
void close_at_exec_except(int kept) {
  DIR* folder = opendir("/dev/fd");
  if (folder == nullptr) {
    return;
  }
  while (const dirent* entry = readdir(folder)) {
    const std::optional<std::uint64_t> number = parse_count(entry->d_name);
    if (number && *number > STDERR_FILENO && static_cast<int>(*number) != kept) {
      fcntl(static_cast<int>(*number), F_SETFD, FD_CLOEXEC);
    }
  }
  closedir(folder);
}

}  // namespace

std::string to_text(const session::Continuation& continuation) {
  return std::to_string(continuation.lock) + "," + std::to_string(continuation.spent.count()) +
         "," + std::to_string(continuation.recycles);
}

session::Continuation continuation_from_text(const std::string& text) {
  const std::size_t first = text.find(',');
  const std::size_t second = text.find(',', first + 1);
  if (first != std::string::npos && second != std::string::npos) {
    const auto lock = parse_count(text.substr(0, first));
    const auto spent = parse_count(text.substr(first + 1, second - first - 1));
    const auto recycles = parse_count(text.substr(second + 1));
    if (lock && spent && recycles) {
      return {static_cast<int>(*lock), std::chrono::milliseconds(static_cast<std::int64_t>(*spent)),
              *recycles};
    }
  }
  throw Error(ExitCode::kUsage, std::string(kContinuationFlag) + " is the program's own",
              "leave it out: the same command continues a run");
}

void recycle(const std::vector<std::string>& arguments, const session::Continuation& continuation,
             const std::optional<std::string>& directory) {
  if (directory && chdir(directory->c_str()) != 0) {
    throw Error(ExitCode::kIo, "cannot go back to " + *directory + ": " + std::strerror(errno),
                "the same command continues the run");
  }
  std::vector<std::string> words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == kContinuationFlag) {
      ++i;
    } else if (arguments[i] != "--overwrite") {
      words.push_back(arguments[i]);
    }
  }
  words = with_own_flag(std::move(words), kContinuationFlag, to_text(continuation));
  std::vector<char*> pointers;
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  close_at_exec_except(continuation.lock);
  execv(own_executable(arguments.front()).c_str(), pointers.data());
  throw Error(ExitCode::kInternal,
              std::string("the program could not start itself anew: ") + std::strerror(errno),
              "the same command continues the run");
}

}  // namespace longhaul::app
