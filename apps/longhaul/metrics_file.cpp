#include "metrics_file.hpp"

#include <array>
#include <utility>

#include "base/own_file.hpp"
#include "base/text.hpp"

namespace longhaul::app {
namespace {

constexpr std::chrono::seconds kEvery{5};

double unix_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

MetricsFile::MetricsFile(Files& files, Log& log, std::string path, std::string output)
    : files_(files),
      log_(log),
      path_(std::move(path)),
      output_(std::move(output)),
      written_(std::chrono::steady_clock::now()) {
  require_own_file(files_, path_, std::array{kMetricsBeginning}, "metrics file of longhaul");
  try {
    write_atomically(files_, path_, text(std::nullopt));
  } catch (const Error& error) {
    throw Error(ExitCode::kIo, std::string("--metrics-file: ") + error.what(),
                "name a file in a folder that can be written to");
  }
}

void MetricsFile::update(const ProgressSnapshot& snapshot, TimePoint now) {
  const bool due = now - written_ >= kEvery;
  if (due || !snapshot_) {
    rate_ = meter_.add(snapshot);
  }
  snapshot_ = snapshot;
  if (due) {
    written_ = now;
    write(std::nullopt);
  }
}

void MetricsFile::end(ExitCode code) {
  if (snapshot_) {
    snapshot_->seconds_left.reset();
    rate_ = meter_.average(*snapshot_);
  }
  write(code);
}

std::string MetricsFile::text(std::optional<ExitCode> code) const {
  return metrics_text({output_, code, unix_time()}, snapshot_, rate_);
}

void MetricsFile::write(std::optional<ExitCode> code) {
  try {
    write_atomically(files_, path_, text(code));
  } catch (const Error& error) {
    if (!warned_) {
      warned_ = true;
      log_.warning(std::string("--metrics-file: ") + error.what() + "; said once");
    }
  }
}

}  // namespace longhaul::app
