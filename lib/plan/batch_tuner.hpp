// Finds how many tokens a batch should have on this device, by timing the run's own batches at a
// few sizes and then keeping the best. Only for devices where the size of a batch cannot change a
// result. No clock; one thread at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace longhaul {

class BatchTuner {
 public:
  // `candidates` ascending, in tokens. With one candidate there is nothing to find.
  explicit BatchTuner(std::vector<std::uint64_t> candidates);

  // What the next batch should aim at.
  std::uint64_t target() const { return target_; }
  bool settled() const { return settled_; }
  // A batch cut for `target` had `tokens` (padding included) and took `seconds`. One that is far
  // from full says nothing about its size and is left out; when none is full any more, the sizes
  // that were measured decide.
  void measured(std::uint64_t target, std::uint64_t tokens, double seconds);
  // "8,192 padded tokens (tokens/s: 3,010 at 4,096, 3,350 at 8,192)", once settled.
  std::string summary() const;

 private:
  struct Trial {
    std::uint64_t tokens = 0;
    std::uint32_t batches = 0;
    double best_rate = 0;  // tokens per second
  };
  void advance();
  void settle();

  std::vector<Trial> trials_;
  std::size_t current_ = 0;
  std::uint32_t unfull_ = 0;  // batches in a row
  std::uint64_t target_ = 0;
  bool settled_ = false;
};

}  // namespace longhaul
