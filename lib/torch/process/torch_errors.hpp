// What a failure inside LibTorch means for a run. TorchScript erases the types of exceptions, so
// the text decides where the type no longer does.
// Pure functions; any thread.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace longhaul::torch_room {

enum class FailureKind {
  kOutOfMemory,   // a smaller batch may cure it
  kDeviceBroken,  // the device's context is poisoned: commit and stop, never retry
  kOther
};

FailureKind classify_failure(std::string_view message);
FailureKind classify_failure(const std::exception& failure);

// The line that says what happened: no C++ stack, no TorchScript trace.
std::string failure_text(const std::exception& failure);

// A model that cannot be loaded or made ready for want of memory: what every such failure becomes.
Error does_not_fit(const std::string& model, const std::string& text);
// An archive that could not be read or loaded: it does not fit, or else is damaged.
Error cannot_be_read(const std::string& model, const std::exception& failure);

}  // namespace longhaul::torch_room
