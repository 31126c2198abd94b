// Cuts the input into windows of consecutive records, measured and put in encoding order.
// One thread at a time; borrows the reader and the preprocessor. Throws what the reader throws.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "input/record_reader.hpp"
#include "plan/window.hpp"
#include "prepare/preprocessor.hpp"

namespace longhaul::run {

struct Window {
  std::uint64_t index = 0;
  input::InputPosition start;              // of its first record
  input::InputPosition end;                // of the first record after it
  bool ends_input = false;                 // it would have taken more records
  input::InputProgress progress;           // of reading, at its end
  std::vector<prepare::Prepared> records;  // in input order
  std::vector<plan::Slot> order;           // of the accepted ones; of long ones their segments
};

struct WindowSettings {
  std::uint32_t records = 4096;
  plan::OrderSettings order;
};

class WindowSource {
 public:
  // `next_index` is that of the window at which the reader stands.
  WindowSource(input::RecordReader& reader, const prepare::Preprocessor& preprocessor,
               const WindowSettings& settings, std::uint64_t next_index);

  // Nothing at the end of the input. With Order::kInput, which knows no segments, a window grows
  // until its accepted records fill whole groups, so that no group is cut by a window's edge.
  std::optional<Window> next();

 private:
  input::RecordReader& reader_;
  const prepare::Preprocessor& preprocessor_;
  const WindowSettings settings_;
  std::uint64_t next_index_;
};

}  // namespace longhaul::run
