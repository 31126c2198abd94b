// Cuts the input into windows of consecutive records, measured and put in encoding order.
// One thread at a time; borrows the reader, the preprocessor and the older rows. Throws what the
// reader throws.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "input/record_reader.hpp"
#include "plan/window.hpp"
#include "prepare/preprocessor.hpp"
#include "run/older_rows.hpp"

namespace longhaul::run {

struct Window {
  std::uint64_t index = 0;
  input::InputPosition start;              // of its first record
  input::InputPosition end;                // of the first record after it
  bool ends_input = false;                 // it would have taken more records
  input::InputProgress progress;           // of reading, at its end
  std::vector<prepare::Prepared> records;  // in input order
  std::vector<plan::Slot> order;           // of the accepted ones; of long ones their segments
  std::vector<Standing> standings;         // of each record; empty where there are no older rows

  bool is_taken(std::uint32_t record) const {
    return !standings.empty() && standings[record].row.has_value();
  }
};

struct WindowSettings {
  std::uint32_t records = 4096;
  plan::OrderSettings order;
};

class WindowSource {
 public:
  // `next_index` is that of the window at which the reader stands. `older`: null where all records
  // are computed.
  WindowSource(input::RecordReader& reader, const prepare::Preprocessor& preprocessor,
               const WindowSettings& settings, std::uint64_t next_index,
               OlderRows* older = nullptr);

  // Nothing at the end of the input. With Order::kInput, which knows no segments, a window grows
  // until its accepted records fill whole groups, so that no group is cut by a window's edge.
  std::optional<Window> next();

 private:
  void look_at_older(Window& window) const;

  input::RecordReader& reader_;
  const prepare::Preprocessor& preprocessor_;
  const WindowSettings settings_;
  std::uint64_t next_index_;
  OlderRows* older_;
};

}  // namespace longhaul::run
