// The products of many vectors with many others, in float32, and which of them are great enough to
// look at again: the costly part of a search for nearest neighbours, as a device does it.
// Implementations: plain_products() here, LibTorch's in lib/torch/search. One thread calls one; it
// may start others. Errors are those of the device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace longhaul::score {

// Vectors of one width, row by row. Borrowed.
struct VectorBlock {
  std::span<const float> values;
  std::size_t rows = 0;
  std::size_t width = 0;
};

// What a query's value must reach to be found: `at_least`, and the greatest of all that the block
// holds for it, counted as far as is asked, less `slack`.
struct Floor {
  float at_least = 0;
  float slack = 0;
};

struct Candidate {
  std::uint32_t query = 0;  // of the queries that are set
  std::uint32_t row = 0;    // of the block
  float value = 0;          // the product, and the row's bias
};

// Is given candidates, each once and in no order. It may raise the floors that find() was given.
using TakeCandidates = std::function<void(std::span<const Candidate> found)>;

class Products {
 public:
  virtual ~Products() = default;
  virtual std::string device() const = 0;
  // They live until others are set.
  virtual void set_queries(const VectorBlock& queries) = 0;
  // Gives `take`, on this thread, all pairs of a query and a row whose value is not below the
  // query's floor of this block; it may give more. Before much is held it is given what there is
  // (hand_on()), so that memory does not grow with what is found. `bias` is added to the products
  // of each row, or empty. `floors` is as long as the queries, and looked at again after each
  // `take`. A value that is no number is found, or is wrong_product().
  virtual void find(const VectorBlock& rows, std::span<const float> bias,
                    std::span<const Floor> floors, std::size_t count,
                    const TakeCandidates& take) = 0;
};

// One thread, and no library that is made for it: for builds without LibTorch, and for few vectors.
std::unique_ptr<Products> plain_products();

// A rectangle of products that is there: a line for each row, a value in it for each query.
struct Tile {
  const float* values = nullptr;
  std::size_t stride = 0;       // from line to line
  std::uint32_t first_row = 0;  // of the block
  std::size_t rows = 0;
  std::uint32_t first_query = 0;
};

// Appends what Products::find() says, of a tile of at most kMostTile products and as many queries
// as there are floors. Any thread.
void find_in_tile(const Tile& tile, std::span<const float> bias, std::span<const Floor> floors,
                  std::size_t count, std::vector<Candidate>& found);

// So many candidates are held at a time, and those of a tile more.
constexpr std::size_t kMostHeld = std::size_t{1} << 20;
constexpr std::size_t kMostTile = std::size_t{1} << 20;
// Between tiles: gives `take` what was found, once it is more than `least`. Whether it did.
bool hand_on(std::vector<Candidate>& found, const TakeCandidates& take,
             std::size_t least = kMostHeld);

// A device whose products are not those of float32.
Error wrong_product();

// How many of a query's candidates are held before the least of them are dropped.
constexpr std::size_t most_candidates(std::size_t count) {
  return 2 * count + 64;
}

}  // namespace longhaul::score
