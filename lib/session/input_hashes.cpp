#include "session/input_hashes.hpp"

#include <atomic>
#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/error.hpp"
#include "base/sha256_file.hpp"
#include "base/start_thread.hpp"
#include "base/text.hpp"
#include "input/byte_source.hpp"
#include "session/run_identity.hpp"

namespace longhaul::session {
namespace {

constexpr std::chrono::milliseconds kLookAgain{20};

bool same_file(const input::SourceIdentity& a, const input::SourceIdentity& b) {
  return a.size == b.size && a.modified_ns == b.modified_ns && a.changed_ns == b.changed_ns &&
         a.inode == b.inode;
}

std::optional<std::string> recorded_hash(const input::SourceIdentity& source,
                                         const nlohmann::json& recorded) {
  for (const nlohmann::json& before : recorded) {
    if (before.is_object() && before.value("path", "") == printable(source.path, 4096) &&
        is_recorded_file(before, source) && before.value("sha256", nlohmann::json()).is_string()) {
      return before.at("sha256").get<std::string>();
    }
  }
  return std::nullopt;
}

}  // namespace

struct InputHashes::Work {
  std::vector<input::SourceIdentity> sources;
  mutable std::mutex mutex;
  std::vector<nlohmann::json> hashes;  // under the mutex
  std::atomic<bool> stop{false};
  std::atomic<bool> done{false};
  std::thread thread;

  void run() {
    for (std::size_t i = 0; i < sources.size() && !stop; ++i) {
      if (!hashes[i].is_null() || !sources[i].regular) {
        continue;  // only this thread writes here
      }
      try {
        const auto hash = sha256_file(sources[i].path, [this] { return stop.load(); });
        if (hash && same_file(input::identify_source(sources[i].path), sources[i])) {
          const std::lock_guard lock(mutex);
          hashes[i] = *hash;
        }
      } catch (const Error&) {
        // The reader says what is wrong with it.
      }
    }
    done = true;
  }
};

InputHashes::InputHashes(std::vector<input::SourceIdentity> sources, const nlohmann::json& recorded)
    : work_(std::make_unique<Work>()) {
  work_->hashes.resize(sources.size());
  bool all_known = true;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (const auto known = recorded_hash(sources[i], recorded); known && sources[i].regular) {
      work_->hashes[i] = *known;
    } else {
      all_known = all_known && !sources[i].regular;
    }
  }
  work_->sources = std::move(sources);
  if (all_known) {
    work_->done = true;
    return;
  }
  try {
    work_->thread = start_thread([work = work_.get()] { work->run(); });
  } catch (const Error&) {
    work_->done = true;  // the hashes stay unknown
  }
}

InputHashes::~InputHashes() {
  work_->stop = true;
  if (work_->thread.joinable()) {
    work_->thread.join();
  }
}

void InputHashes::wait(const std::function<bool()>& stop) const {
  while (!work_->done && !stop()) {
    std::this_thread::sleep_for(kLookAgain);
  }
}

std::vector<nlohmann::json> InputHashes::so_far() const {
  const std::lock_guard lock(work_->mutex);
  return work_->hashes;
}

}  // namespace longhaul::session
