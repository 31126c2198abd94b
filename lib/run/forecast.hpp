// How long a run has still to go: what is left by width, times what a token of each width took in
// this session. Of windows that are not read yet, it is taken that they are as those that were.
// Values without a clock, and counts by width alone; one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "input/record_reader.hpp"
#include "plan/workload.hpp"

namespace longhaul::run {

struct Work {
  plan::Workload computed;
  std::uint64_t passed =
      0;  // records that are not computed: bad ones, repeats, rows that are there
};

// What a window asks of the session, and the stretch of the input that it is.
struct WindowWork {
  Work all;
  Work left;  // of it, what no earlier session did
  std::uint64_t first_row = 0;
  std::uint64_t end_row = 0;
  std::uint64_t first_byte = 0;  // as InputProgress counts them
  std::uint64_t end_byte = 0;
};

struct TimeLeft {
  double seconds = 0;
  bool approximate = false;  // lengths of what is left are not known
};

class Forecast {
 public:
  void begin_window(WindowWork window);
  // Work of the window in hand is done, and it took so long, with all waiting. The first that is
  // computed is not learnt from: it stands for what is made once.
  void done(const Work& done, double seconds);

  // `whole`: how much input there is, as far as that is known by now. Nothing where that, or the
  // pace, cannot be told.
  std::optional<TimeLeft> left(const input::InputProgress& whole) const;
  // Of this session, without those in which the process was stopped.
  double seconds_at_work() const { return seconds_at_work_; }

 private:
  // What comes behind the window in hand, in that of all windows so far.
  std::optional<double> share_unread(const input::InputProgress& whole) const;
  std::optional<double> seconds_of(const Work& work) const;

  WindowWork window_;
  Work read_;  // of all windows of this session
  std::uint64_t rows_read_ = 0;
  std::uint64_t bytes_read_ = 0;
  plan::TokenTimes times_;
  bool begun_ = false;
  double seconds_passing_ = 0;  // of what was not computed, where nothing was computed beside it
  std::uint64_t passed_ = 0;
  double seconds_at_work_ = 0;
};

}  // namespace longhaul::run
