#include "score/products.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace longhaul::score {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixView = Eigen::Map<const Matrix>;

constexpr std::size_t kTileRows = 256;
constexpr std::size_t kTileQueries = 256;
constexpr std::size_t kAtOnce = 16;  // values that are compared before anything is decided

MatrixView view(const VectorBlock& block, std::size_t first, std::size_t rows) {
  return {block.values.data() + first * block.width, static_cast<Eigen::Index>(rows),
          static_cast<Eigen::Index>(block.width)};
}

class PlainProducts : public Products {
 public:
  std::string device() const override { return "cpu"; }
  void set_queries(const VectorBlock& queries) override { queries_ = queries; }

  void find(const VectorBlock& rows, std::span<const float> bias, std::span<const Floor> floors,
            std::size_t count, const TakeCandidates& take) override {
    found_.clear();
    for (std::size_t query = 0; query < queries_.rows; query += kTileQueries) {
      const std::size_t queries = std::min(kTileQueries, queries_.rows - query);
      for (std::size_t row = 0; row < rows.rows; row += kTileRows) {
        const std::size_t height = std::min(kTileRows, rows.rows - row);
        tile_.noalias() = view(rows, row, height) * view(queries_, query, queries).transpose();
        find_in_tile({tile_.data(), queries, static_cast<std::uint32_t>(row), height,
                      static_cast<std::uint32_t>(query)},
                     bias, floors.subspan(query, queries), count, found_);
        hand_on(found_, take);
      }
    }
    hand_on(found_, take, 0);
  }

 private:
  VectorBlock queries_;
  std::vector<Candidate> found_;
  Matrix tile_;
};

// The candidates of a tile, query by query, of which only the greatest are kept.
class TileScan {
 public:
  TileScan(std::span<const Floor> floors, std::size_t count, std::uint32_t first_query)
      : floors_(floors),
        count_(count),
        first_query_(first_query),
        most_(floors.size(), most_candidates(count)),
        of_query_(floors.size()) {
    for (const Floor& floor : floors) {
      least_.push_back(floor.at_least);
    }
  }

  void line(const float* values, float bias, std::uint32_t row) {
    std::size_t query = 0;
    for (; query + kAtOnce <= least_.size(); query += kAtOnce) {
      unsigned reached = 0;
      for (std::size_t i = 0; i < kAtOnce; ++i) {
        reached |= static_cast<unsigned>(!(values[query + i] + bias < least_[query + i]));
      }
      if (reached != 0) {
        for (std::size_t i = query; i < query + kAtOnce; ++i) {
          look_at(i, values[i] + bias, row);
        }
      }
    }
    for (; query < least_.size(); ++query) {
      look_at(query, values[query] + bias, row);
    }
  }

  void finish(std::vector<Candidate>& found) {
    for (std::vector<Candidate>& candidates : of_query_) {
      found.insert(found.end(), candidates.begin(), candidates.end());
    }
  }

 private:
  void look_at(std::size_t query, float value, std::uint32_t row) {
    if (value < least_[query]) {
      return;
    }
    if (std::isnan(value)) {
      throw wrong_product();
    }
    std::vector<Candidate>& candidates = of_query_[query];
    candidates.push_back({first_query_ + static_cast<std::uint32_t>(query), row, value});
    if (candidates.size() >= most_[query]) {
      raise(query);
    }
  }

  // The floor is that of the `count_` greatest so far; what is below it is dropped.
  void raise(std::size_t query) {
    std::vector<Candidate>& candidates = of_query_[query];
    const auto middle = candidates.begin() + static_cast<std::ptrdiff_t>(count_ - 1);
    std::nth_element(candidates.begin(), middle, candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.value > b.value; });
    least_[query] = std::max(least_[query], middle->value - floors_[query].slack);
    std::erase_if(candidates, [&](const Candidate& one) { return one.value < least_[query]; });
    // Where many are equally near, few are dropped: not again before there are twice as many.
    most_[query] = std::max(most_candidates(count_), 2 * candidates.size());
  }

  std::span<const Floor> floors_;
  std::size_t count_;
  std::uint32_t first_query_;
  std::vector<float> least_;
  std::vector<std::size_t> most_;  // of a query's candidates, before the least of them are dropped
  std::vector<std::vector<Candidate>> of_query_;
};

}  // namespace

void find_in_tile(const Tile& tile, std::span<const float> bias, std::span<const Floor> floors,
                  std::size_t count, std::vector<Candidate>& found) {
  TileScan scan(floors, std::max<std::size_t>(count, 1), tile.first_query);
  for (std::size_t row = 0; row < tile.rows; ++row) {
    const std::size_t of_block = tile.first_row + row;
    scan.line(tile.values + row * tile.stride, bias.empty() ? 0.0F : bias[of_block],
              static_cast<std::uint32_t>(of_block));
  }
  scan.finish(found);
}

bool hand_on(std::vector<Candidate>& found, const TakeCandidates& take, std::size_t least) {
  if (found.size() <= least) {
    return false;
  }
  take(found);
  found.clear();
  return true;
}

Error wrong_product() {
  return {ExitCode::kInternal,
          "the products of finite vectors came out farther from them than float32 rounds",
          "choose --device cpu, and report it where that fails too"};
}

std::unique_ptr<Products> plain_products() {
  return std::make_unique<PlainProducts>();
}

}  // namespace longhaul::score
