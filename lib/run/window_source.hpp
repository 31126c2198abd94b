// Cuts the input into windows of consecutive records, measured and put in encoding order.
// One thread at a time; borrows the reader, the preprocessor and the older rows. Throws what the
// reader throws.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "input/record_reader.hpp"
#include "plan/window.hpp"
#include "prepare/preprocessor.hpp"
#include "run/forecast.hpp"
#include "run/older_rows.hpp"

namespace longhaul::run {

// The row of the earlier record that a record repeats, whose hash is known: nothing for a first
// one.
using RepeatedRow = std::function<std::optional<std::uint64_t>(const prepare::Prepared& record)>;

struct Window {
  std::uint64_t index = 0;
  input::InputPosition start;              // of its first record
  input::InputPosition end;                // of the first record after it
  bool ends_input = false;                 // it would have taken more records
  input::InputProgress progress;           // of reading, at its end
  std::vector<prepare::Prepared> records;  // in input order
  std::vector<plan::Slot> order;           // of those to be computed; of long ones their segments
  std::vector<Standing> standings;         // of each record; empty where there are no older rows
  WindowWork work;                         // filled in by who cuts it into batches

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
  // are computed. `repeated`: empty where nobody compares; asked of what has a hash when it is
  // measured, sequences. Of images that is told when they are assembled.
  WindowSource(input::RecordReader& reader, const prepare::Preprocessor& preprocessor,
               const WindowSettings& settings, std::uint64_t next_index, OlderRows* older = nullptr,
               RepeatedRow repeated = {});

  // Nothing at the end of the input.
  std::optional<Window> next();
  // How many records there are, which some inputs tell only after a while.
  std::optional<std::uint64_t> records_total() const { return reader_.progress().records_total; }

 private:
  void look_at_older(Window& window) const;

  input::RecordReader& reader_;
  const prepare::Preprocessor& preprocessor_;
  const WindowSettings settings_;
  std::uint64_t next_index_;
  OlderRows* older_;
  const RepeatedRow repeated_;
};

}  // namespace longhaul::run
