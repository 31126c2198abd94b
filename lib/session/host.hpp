// What the process around a session lends it: files, log, clock, signals, display, facts about the
// machine. A session reads none of these by itself, so tests hand in their own.
// Everything outlives the session. Functions are called by the session's thread unless they say
// otherwise.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/files.hpp"
#include "base/log.hpp"
#include "device/device.hpp"
#include "domain/numbers.hpp"
#include "run/pipeline.hpp"
#include "session/continuation.hpp"
#include "session/workshop.hpp"

namespace longhaul::session {

using Clock = std::chrono::steady_clock;

// Shows how far a run is.
class Display {
 public:
  virtual ~Display() = default;
  virtual void update(const run::RunSnapshot& snapshot) = 0;
  // The state at the end, which stays. Harmless when repeated.
  virtual void finish(const run::RunSnapshot& snapshot) = 0;
};

struct ProcessFacts {
  std::uint32_t threads = 1;  // that it may keep busy
  std::string threads_from;   // why not more
  std::string lock_holder;    // "process 42 on host since ..."
  nlohmann::json versions;    // of the program and its libraries
  nlohmann::json session;     // when it started, where, on what and with which command line
  std::function<nlohmann::json(const std::string& device_name)> machine;
  // What a vector's bits depend on beside model, input and settings.
  std::function<nlohmann::json(const device::Device& device)> bits_machine;
};

struct Host {
  Files& files;
  Log& log;
  const Workshop& workshop;
  ProcessFacts facts;
  std::function<Clock::time_point()> now;  // any thread
  std::function<std::string()> utc_now;
  std::function<bool()> stop;  // somebody asked this process to end; any thread
  // From now on whoever asks is heard by `stop` or by the process that comes after.
  std::function<void()> hold_stops;
  std::function<std::unique_ptr<Display>(Modality modality, Clock::time_point started)> display;
  // Ends the process at once, for a batch that does not end; all before it is safe. Any thread.
  std::function<void()> abandon;
  // Runs the program anew in this process; returns only by throwing Error.
  std::function<void(const Continuation& next)> start_anew;
};

}  // namespace longhaul::session
