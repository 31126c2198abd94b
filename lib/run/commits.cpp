#include "run/commits.hpp"

#include <utility>

namespace longhaul::run {

std::optional<std::uint64_t> Commits::commit(const Counters& counters,
                                             std::vector<LateOutcome>& late) {
  if (!pending_) {
    return std::nullopt;
  }
  const Clock::time_point start = now_();
  pending_->counters = to_json(counters);
  pending_->late = std::exchange(late, {});
  store_.commit(*pending_);
  const std::uint64_t position = pending_->position;
  pending_.reset();
  ++count_;
  last_ = now_();
  seconds_ += std::chrono::duration<double>(last_ - start).count();
  return position;
}

}  // namespace longhaul::run
