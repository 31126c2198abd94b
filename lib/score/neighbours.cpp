#include "score/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <future>
#include <utility>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::score {
namespace {

constexpr std::size_t kMostQueries = 1U << 16;
constexpr std::size_t kMostRows = 4096;
// Where there is no thread to be had, a block is read when it is needed.
constexpr std::launch kReading = std::launch::async | std::launch::deferred;
constexpr std::size_t kLeast = 16;      // of both, or the search is not worth its passes
constexpr std::uint64_t kOfText = 160;  // what a record takes beside its text

// How many vectors of each side are held at a time.
struct BlockSizes {
  std::size_t width = 0;  // numbers of a vector
  std::size_t rows = 0;
  std::size_t queries = 0;
};

// Bytes of so many queries: each with its vector, which the device may have in a form of its own,
// and its list; and the lines of their neighbours, each of which is there once.
struct QueryBytes {
  std::uint64_t of_query = 0;
  std::uint64_t neighbours = 0;  // of a query
  std::uint64_t line = 0;
  std::uint64_t rows = 0;

  std::uint64_t of(std::uint64_t queries) const {
    return queries * of_query + std::min(queries * neighbours, rows) * line;
  }
  // How many fit.
  std::uint64_t queries_in(std::uint64_t bytes) const {
    const std::uint64_t all_lines = rows * line;
    return std::max(bytes / (of_query + neighbours * line),
                    (bytes - std::min(bytes, all_lines)) / of_query);
  }
};

BlockSizes block_sizes(const SearchedOutput& rows, const NeighbourSettings& settings,
                       std::uint64_t line_bytes) {
  const std::uint64_t vector = 2 * sizeof(float) * rows.array.dimension + 32;
  // Two blocks of rows: one is searched, one read.
  const std::uint64_t of_rows = 2 * vector;
  BlockSizes sizes{.width = rows.array.dimension};
  sizes.rows = std::clamp<std::uint64_t>(settings.working_bytes / 4 / of_rows, kLeast, kMostRows);
  const std::uint64_t line = line_bytes + kOfText;
  const std::uint64_t count = std::min<std::uint64_t>(settings.count, rows.output.rows());
  const QueryBytes bytes{.of_query = vector + sizeof(float) * rows.array.dimension + line +
                                     count * (sizeof(Neighbour) + sizeof(std::uint64_t)),
                         .neighbours = count,
                         .line = line,
                         .rows = rows.output.rows()};
  const std::uint64_t left =
      settings.working_bytes - std::min(settings.working_bytes, sizes.rows * of_rows);
  sizes.queries = std::clamp<std::uint64_t>(bytes.queries_in(left), kLeast, kMostQueries);
  const std::uint64_t least = sizes.rows * of_rows + bytes.of(kLeast);
  if (least > settings.most_bytes) {
    throw Error(ExitCode::kMemory,
                "searching vectors of " + format_count(rows.array.dimension) + " numbers for " +
                    format_count(count) + " neighbours takes " + format_bytes(least) +
                    " at least, and the limit leaves " + format_bytes(settings.most_bytes),
                "raise --memory-limit, or ask for fewer neighbours");
  }
  return sizes;
}

// Vectors of a pass, so many at a time.
class BlockSource {
 public:
  BlockSource(VectorRows& rows, std::size_t width, std::size_t size)
      : rows_(rows), width_(width), size_(size) {}

  // Empty behind the last, and the next one begins a new pass. `each` sees every row before it is
  // kept.
  template <typename Each>
  NumberedVectors next(Each each) {
    NumberedVectors block;
    block.values.reserve(size_ * width_);
    std::uint64_t row = 0;
    std::span<const float> vector;
    while (!ended_ && block.rows.size() < size_) {
      if (!rows_.next(row, vector)) {
        ended_ = true;
        break;
      }
      each(vector);
      block.values.insert(block.values.end(), vector.begin(), vector.end());
      block.rows.push_back(row);
    }
    ended_ = ended_ && !block.rows.empty();
    return block;
  }

 private:
  VectorRows& rows_;
  std::size_t width_;
  std::size_t size_;
  bool ended_ = false;
};

// The lines of records.csv of some rows, ascending.
std::vector<NeighbourRecord> read_records(const store::OutputReader& output,
                                          std::span<const std::uint64_t> rows) {
  std::vector<NeighbourRecord> found;
  found.reserve(rows.size());
  store::RecordCursor cursor = output.records();
  for (RecordRow record; found.size() < rows.size() && cursor.next(record);) {
    if (record.row == rows[found.size()]) {
      found.push_back({record.position, std::move(record.id), std::move(record.kept)});
    }
  }
  if (found.size() < rows.size()) {
    throw Error(ExitCode::kBadData, cursor.path() + " has become shorter while it was read",
                "run longhaul verify on it");
  }
  return found;
}

class Search {
 public:
  Search(const SearchedOutput& rows, const std::optional<SearchedOutput>& queries,
         const NeighbourSettings& settings, const NeighbourTools& tools, const TellNeighbours& tell)
      : settings_(settings),
        tools_(tools),
        tell_(tell),
        of_(queries ? Queries::kOfOthers : Queries::kOfTheRows),
        sizes_(block_sizes(rows, settings, line_bytes(rows.output))),
        rows_(rows.output, rows.array),
        queries_(queries ? queries->output : rows.output, queries ? queries->array : rows.array) {
    geometry_.metric = settings.metric;
  }

  NeighbourSummary run() {
    if (settings_.centred || settings_.metric == Metric::kL2) {
      survey();
    }
    while (next_queries()) {
    }
    if (progress_.before == 0) {
      survey();  // nobody asked: the rows are looked at all the same
    }
    summary_.rows_without.rejected = rows_.without().rejected;
    summary_.rows_without.duplicates = rows_.without().duplicates;
    summary_.queries_without.rejected = queries_.without().rejected;
    summary_.queries_without.duplicates = queries_.without().duplicates;
    return summary_;
  }

 private:
  // Bytes of a line of records.csv, on average.
  static std::uint64_t line_bytes(const store::OutputReader& output) {
    return output.claims()->claims.records_bytes / std::max<std::uint64_t>(1, output.rows());
  }

  void look_out(std::uint64_t done) {
    if (tools_.stop()) {
      throw Error(ExitCode::kInterrupted, "stopped: the neighbours are not written yet",
                  "the same command begins it again");
    }
    tools_.progress(progress_.before + done, progress_.all);
  }

  // The mean, in the order of rows, and how long vectors are.
  void survey() {
    std::vector<double> mean(sizes_.width);
    double longest = 0;
    std::uint64_t count = 0;
    std::uint64_t row = 0;
    std::span<const float> vector;
    progress_.all = 2 * rows_.rows();
    while (rows_.next(row, vector)) {
      double squares = 0;
      for (std::size_t i = 0; i < sizes_.width; ++i) {
        mean[i] += double{vector[i]};
        squares += double{vector[i]} * double{vector[i]};
      }
      longest = std::max(longest, squares);
      if (++count % kMostRows == 0) {
        look_out(rows_.at());
      }
    }
    progress_.before += rows_.rows();
    double of_mean = 0;
    for (double& value : mean) {
      value /= static_cast<double>(std::max<std::uint64_t>(1, count));
      of_mean += value * value;
    }
    geometry_.centre = std::move(mean);
    longest_row_ = std::sqrt(longest) + std::sqrt(of_mean);
  }

  bool next_queries() {
    std::vector<NeighbourRecord> asked;
    double longest = 0;
    NumberedVectors vectors = query_source_.next([&](std::span<const float> vector) {
      const RecordRow& record = queries_.record();
      asked.push_back({record.position, record.id, {}});
      if (geometry_.metric == Metric::kL2) {
        longest = std::max(longest, geometry_.length(vector).length);
      }
    });
    if (vectors.rows.empty()) {
      return false;
    }
    // 1 ppm more than anything that was measured: rounding of the sums above.
    geometry_.greatest = std::max(longest, longest_row_) * (1 + 1e-6);
    const std::vector<std::uint64_t> all = vectors.rows;
    NearestSearch search(geometry_, sizes_.width, settings_.count, of_, tools_.products,
                         tools_.pool);
    search.begin(
        make_block(geometry_, sizes_.width, ScaledBlock::Side::kQueries, std::move(vectors)));
    pass(search);
    summary_.queries_without.no_direction += search.queries().dropped;
    report(search, all, asked);
    return true;
  }

  // All rows, the next block being read while one is searched.
  void pass(NearestSearch& search) {
    const std::uint64_t blocks = queries_.rows() / sizes_.queries + 1;
    progress_.all =
        progress_.before + rows_.rows() * (blocks - std::min(blocks - 1, summary_.passes));
    BlockSource source(rows_, sizes_.width, sizes_.rows);
    const auto read = [&] {
      return make_block(geometry_, sizes_.width, ScaledBlock::Side::kRows,
                        source.next([](std::span<const float>) {}));
    };
    std::uint64_t searched = 0;
    std::uint64_t dropped = 0;
    std::future<SearchBlock> next = std::async(kReading, read);
    for (;;) {
      const SearchBlock block = next.get();
      if (block.lengths.empty() && block.dropped == 0) {
        break;
      }
      next = std::async(kReading, read);
      search.look_at(block);
      searched += block.lengths.size();
      dropped += block.dropped;
      look_out(searched + dropped);
    }
    progress_.before += rows_.rows();
    summary_.rows = searched;
    summary_.rows_without.no_direction = dropped;
    ++summary_.passes;
  }

  void report(NearestSearch& search, const std::vector<std::uint64_t>& all,
              const std::vector<NeighbourRecord>& asked) {
    const std::vector<std::uint64_t>& searched = search.queries().vectors.rows;
    std::vector<std::vector<Neighbour>> lists;
    std::vector<std::uint64_t> rows;
    for (std::size_t i = 0; i < searched.size(); ++i) {
      for (const Neighbour& one : lists.emplace_back(search.take(i))) {
        rows.push_back(one.row);
      }
    }
    std::ranges::sort(rows);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    const std::vector<NeighbourRecord> records = read_records(rows_.output(), rows);
    std::vector<FoundNeighbour> found;
    std::size_t place = 0;  // in `all` and `asked`
    for (std::size_t i = 0; i < searched.size(); ++i, ++place) {
      while (all[place] != searched[i]) {
        ++place;
      }
      found.clear();
      for (const Neighbour& one : lists[i]) {
        const auto at = std::ranges::lower_bound(rows, one.row) - rows.begin();
        found.push_back({geometry_.score_of(one.key), &records[static_cast<std::size_t>(at)]});
      }
      summary_.pairs += found.size();
      summary_.fewer += found.size() < settings_.count ? 1U : 0U;
      tell_(asked[place].position, asked[place].id, found);
    }
    summary_.queries += searched.size();
  }

  // Rows read, of all passes as far as it can be told.
  struct Progress {
    std::uint64_t before = 0;  // in passes that are over
    std::uint64_t all = 0;
  };

  const NeighbourSettings& settings_;
  const NeighbourTools& tools_;
  const TellNeighbours& tell_;
  const Queries of_;
  const BlockSizes sizes_;
  VectorRows rows_;
  VectorRows queries_;
  BlockSource query_source_{queries_, sizes_.width, sizes_.queries};
  Geometry geometry_;
  double longest_row_ = 0;
  NeighbourSummary summary_;
  Progress progress_;
};

}  // namespace

NeighbourSummary find_neighbours(const SearchedOutput& rows,
                                 const std::optional<SearchedOutput>& queries,
                                 const NeighbourSettings& settings, const NeighbourTools& tools,
                                 const TellNeighbours& tell) {
  if (queries && queries->array.dimension != rows.array.dimension) {
    throw Error(ExitCode::kBadData,
                printable(queries->output.path(), 400) + " has vectors of " +
                    format_count(queries->array.dimension) + " numbers, and " +
                    printable(rows.output.path(), 400) + " of " +
                    format_count(rows.array.dimension),
                "embed both with one model, and name the same --layer");
  }
  return Search(rows, queries, settings, tools, tell).run();
}

}  // namespace longhaul::score
