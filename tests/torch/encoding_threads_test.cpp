#include "torch/encoder/encoding_threads.hpp"

#include <ATen/Parallel.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>

using namespace longhaul;
using namespace longhaul::torch_room;

namespace {

// Row r has the tokens r, r, ... and the length r + 1.
encode::HostBatch numbered(std::uint32_t rows, std::uint32_t width) {
  encode::HostBatch batch;
  batch.rows = batch.used_rows = rows;
  batch.width = width;
  for (std::uint32_t row = 0; row < rows; ++row) {
    batch.tokens.insert(batch.tokens.end(), width, row);
    batch.lengths.push_back(row + 1);
  }
  return batch;
}

// A row's vector is its first token and its length.
encode::EncodedBatch numbers_of(const encode::HostBatch& part) {
  encode::EmbeddingBlock block{.rows = part.used_rows, .dimension = 2, .values = {}};
  for (std::uint32_t row = 0; row < part.used_rows; ++row) {
    block.values.push_back(static_cast<float>(part.tokens[std::size_t{row} * part.width]));
    block.values.push_back(static_cast<float>(part.lengths[row]));
  }
  return {{std::move(block)}};
}

}  // namespace

TEST_CASE("results come back in the parts' order, each part computed once by one thread alone") {
  at::set_num_threads(2);
  EncodingThreads threads(3);
  CHECK(threads.count() == 3);
  for (const std::uint32_t count : {1U, 2U, 3U, 7U, 100U}) {
    INFO(count);
    std::vector<encode::HostBatch> parts;
    for (std::uint32_t i = 0; i < count; ++i) {
      parts.push_back(numbered(1 + i % 5, 8));
    }
    std::atomic<std::uint32_t> computed{0};
    std::atomic<int> most{0};
    const auto encoded = threads.encode(parts, [&](const encode::HostBatch& part) {
      ++computed;
      most = std::max(most.load(), at::get_num_threads());
      return numbers_of(part);
    });
    CHECK(computed == count);
    CHECK(most == 1);
    REQUIRE(encoded.size() == count);
    for (std::uint32_t i = 0; i < count; ++i) {
      CHECK(encoded[i].blocks[0].values == numbers_of(parts[i]).blocks[0].values);
    }
    CHECK(at::get_num_threads() == 2);
  }
}

TEST_CASE("what a part throws is thrown, and the next batch is computed") {
  EncodingThreads threads(2);
  const std::vector<encode::HostBatch> parts = {numbered(4, 8), numbered(5, 8), numbered(4, 8)};
  CHECK_THROWS_AS(threads.encode(parts,
                                 [](const encode::HostBatch& part) -> encode::EncodedBatch {
                                   if (part.rows == 5) {
                                     throw std::runtime_error("the second part");
                                   }
                                   return numbers_of(part);
                                 }),
                  std::runtime_error);
  CHECK(threads.encode(parts, numbers_of).size() == 3);
}
