// How much there is to compute, in padded tokens of each width, and what that takes.
// Values without a clock; one thread at a time.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "plan/window.hpp"

namespace longhaul::plan {

// Padded tokens by the width of their parts, dummies included; an image is a token of width 1.
struct Workload {
  std::map<std::uint32_t, std::uint64_t> tokens;

  void add(std::uint32_t width, std::uint64_t rows) { tokens[width] += rows * width; }
  void add(const Workload& other);
  // What of it is left once `done` is computed; never below nothing.
  void take(const Workload& done);
  std::uint64_t total() const;
};

// Of the parts that these slots are computed in.
Workload workload_of(std::span<const Slot> slots, const RowsPolicy& policy);

// What a token of each width takes, learnt from batches. Widths that no batch had yet lie between
// their neighbours; beyond them they follow 1 + width / Q: Q is that of cost_per_row() until widths
// that lie far enough apart say how much this model's attention takes on this machine.
class TokenTimes {
 public:
  // Later batches count more than earlier ones. One that took far longer than all before it say is
  // not learnt from, and false is given: the process was stopped meanwhile. Unless the next one
  // does too, or such ones come again and again. Where all before it took far longer, the process
  // was stopped then, and they are forgotten.
  bool learn(const Workload& batch, double seconds);
  bool known() const { return !known_.empty(); }
  // Nothing where nothing is known.
  std::optional<double> seconds_of(const Workload& work) const;

 private:
  struct Sum {
    double seconds = 0;
    double tokens = 0;
  };
  double per_token(std::uint32_t width) const;
  double fitted_width() const;  // Q
  bool believes(double seconds, double expected);

  std::map<std::uint32_t, Sum> known_;
  double quadratic_width_ = kQuadraticWidth;
  bool doubted_ = false;  // the latest batch
  double doubts_ = 0;     // how many of late
};

}  // namespace longhaul::plan
