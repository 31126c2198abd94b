// Commits to a store what can be claimed of it, when it is time to.
// The writer's thread; borrows the store.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "domain/counters.hpp"
#include "domain/outcome.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::run {

class Commits {
 public:
  using Clock = std::chrono::steady_clock;

  Commits(store::EmbeddingStore& store, std::chrono::milliseconds every,
          std::function<Clock::time_point()> now)
      : store_(store), every_(every), now_(std::move(now)), last_(now_()) {}

  // What can be claimed from now on. Its counters and late outcomes are told when it is committed.
  void propose(store::Progress progress) { pending_ = std::move(progress); }
  bool due() const { return pending_ && now_() - last_ >= every_; }
  // Of the window in hand it claims so many records; nothing where there was nothing to commit, and
  // then `late` is kept.
  std::optional<std::uint64_t> commit(const Counters& counters, std::vector<LateOutcome>& late);

  std::uint64_t count() const { return count_; }
  double seconds() const { return seconds_; }

 private:
  store::EmbeddingStore& store_;
  const std::chrono::milliseconds every_;
  const std::function<Clock::time_point()> now_;
  Clock::time_point last_;
  std::optional<store::Progress> pending_;
  std::uint64_t count_ = 0;
  double seconds_ = 0;
};

}  // namespace longhaul::run
