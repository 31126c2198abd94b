// The table that `longhaul neighbours` writes: a line for each pair, then the neighbour's kept
// columns. One thread. Errors: kUsage for a column that is not there, and those of the table.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "export/table_sink.hpp"
#include "score/neighbours.hpp"
#include "store/output_reader.hpp"

namespace longhaul::app {

class NeighbourTable {
 public:
  // `transfer`: the kept column of `rows` whose value in the nearest row every line repeats.
  NeighbourTable(const store::OutputReader& rows, const std::optional<std::string>& transfer,
                 std::string metadata);

  void begin(Files& files, const std::string& path, const export_room::MakeSink& make_sink);
  void add(std::uint64_t row, const std::string& id,
           std::span<const score::FoundNeighbour> nearest);
  void finish() { sink_->finish(); }

 private:
  export_room::TableSchema schema_;
  std::optional<std::size_t> transferred_;  // of the kept columns
  std::unique_ptr<export_room::TableSink> sink_;
  std::vector<export_room::Cell> cells_;
};

}  // namespace longhaul::app
