// `longhaul neighbours`: the nearest rows of one output of each row of it, or of another. Both are
// streamed: a block of queries, for which all rows are read, then the next. While a block is
// searched the next is read, by a thread of its own. Memory is what `working_bytes` says, what
// is found in between (score/products.hpp), and a bit a row. Errors: those of
// store/checked_rows.hpp and of Products; kMemory where nothing fits; kBadData where vectors of the
// two have other lengths; kInterrupted when it was asked to stop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "score/nearest.hpp"
#include "score/vector_rows.hpp"

namespace longhaul::score {

// One side: an output from store::open_finished(), and its array of vectors. Outlives the search.
struct SearchedOutput {
  const store::OutputReader& output;
  OutputSpec array;
};

struct NeighbourSettings {
  Metric metric = Metric::kCosine;
  bool centred = false;  // less the mean of the rows that are searched, on both sides
  std::size_t count = 10;
  std::uint64_t working_bytes = 512U << 20;
  // What is taken where a few queries with all their neighbours do not fit the above.
  std::uint64_t most_bytes = working_bytes;
};

struct NeighbourTools {
  Products& products;
  WorkerPool& pool;
  std::function<bool()> stop;
  // Rows read so far, over all passes.
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;
};

// What the tables say of a row that is a neighbour.
struct NeighbourRecord {
  std::uint64_t position = 0;
  std::string id;
  std::vector<std::string> kept;
};

struct FoundNeighbour {
  double score = 0;  // cosine, product or Euclidean distance
  const NeighbourRecord* record = nullptr;
};

// Called once for each query that has a vector, in their order; nearest first. What it is given is
// valid during the call.
using TellNeighbours = std::function<void(std::uint64_t position, const std::string& id,
                                          std::span<const FoundNeighbour> nearest)>;

struct NeighbourSummary {
  std::uint64_t queries = 0;  // with a vector
  std::uint64_t rows = 0;     // that were searched
  std::uint64_t pairs = 0;    // that were told
  std::uint64_t fewer = 0;    // queries with fewer neighbours than were asked for
  std::uint64_t passes = 0;   // over the rows
  RowsWithout rows_without;
  RowsWithout queries_without;
};

// Of the rows of `rows` those nearest to each of `queries`; without queries, to each of `rows`, a
// row being no neighbour of its own.
NeighbourSummary find_neighbours(const SearchedOutput& rows,
                                 const std::optional<SearchedOutput>& queries,
                                 const NeighbourSettings& settings, const NeighbourTools& tools,
                                 const TellNeighbours& tell);

}  // namespace longhaul::score
