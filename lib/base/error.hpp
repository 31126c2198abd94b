// Errors that end a run, and the exit codes they carry.
// A record that cannot be embedded is an outcome (base/outcome.hpp), never an Error.
#pragma once

#include <stdexcept>
#include <string>

namespace longhaul {

// Exit codes of the program: a contract with shells and schedulers.
enum class ExitCode : int {
  kDone = 0,
  kDifferent = 1,  // `diff` found a difference
  kUsage = 2,
  kRejected = 3,      // finished, but records were rejected and no limit was given
  kBadData = 65,      // bad input, model or output values
  kUnavailable = 69,  // not available now: output locked, device absent
  kInternal = 70,
  kMemory = 71,
  kMismatch = 73,  // the output was made by another model, input or settings
  kIo = 74,
  kInterrupted = 75,  // what is committed is safe; the same command continues
};

constexpr int to_int(ExitCode code) {
  return static_cast<int>(code);
}

// Says what went wrong and where (what()), and what to do next (remedy()).
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& what, std::string remedy = "")
      : std::runtime_error(what), code_(code), remedy_(std::move(remedy)) {}

  ExitCode code() const { return code_; }
  const std::string& remedy() const { return remedy_; }

 private:
  ExitCode code_;
  std::string remedy_;
};

// The device or the host ran out of memory while encoding: the one failure that a smaller batch
// can cure. Everything the failed call held is released before it is thrown.
class DeviceOutOfMemory : public Error {
 public:
  explicit DeviceOutOfMemory(const std::string& what)
      : Error(ExitCode::kMemory, what, "use a smaller --batch-tokens, or raise --memory-limit") {}
};

}  // namespace longhaul
