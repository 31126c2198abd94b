#include "torch/encoding_threads.hpp"

#include <ATen/Parallel.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <stdexcept>

using namespace longhaul;

namespace {

// Row r has the tokens r, r, ... and the length r + 1.
HostBatch numbered(std::uint32_t rows, std::uint32_t width) {
  HostBatch batch;
  batch.rows = batch.used_rows = rows;
  batch.width = width;
  for (std::uint32_t row = 0; row < rows; ++row) {
    batch.tokens.insert(batch.tokens.end(), width, row);
    batch.lengths.push_back(row + 1);
  }
  return batch;
}

// A row's vector is its first token and its length.
EmbeddingBlock numbers_of(const HostBatch& part) {
  EmbeddingBlock block{.rows = part.used_rows, .dimension = 2, .values = {}};
  for (std::uint32_t row = 0; row < part.used_rows; ++row) {
    block.values.push_back(static_cast<float>(part.tokens[std::size_t{row} * part.width]));
    block.values.push_back(static_cast<float>(part.lengths[row]));
  }
  return block;
}

}  // namespace

TEST_CASE("parts keep every thread busy, and stay small") {
  CHECK(rows_per_part(32, 128, 1) == 32);  // no one to share with
  CHECK(rows_per_part(1, 4'096, 8) == 1);
  CHECK(rows_per_part(32, 128, 2) == 8);
  CHECK(rows_per_part(32, 128, 4) == 8);
  CHECK(rows_per_part(32, 128, 32) == 1);
  CHECK(rows_per_part(8, 127, 2) == 4);
  CHECK(rows_per_part(4, 1'024, 2) == 1);
  CHECK(rows_per_part(64, 8, 2) == 32);
  CHECK(rows_per_part(65, 128, 64) == 65);  // 33 of 64 threads would work
  CHECK(rows_per_part(3, 1'000, 16) == 3);
}

TEST_CASE("a batch's vectors come back in its order, each row computed once") {
  EncodingThreads threads(3);
  for (const std::uint32_t rows : {1U, 2U, 3U, 7U, 32U, 100U}) {
    INFO(rows);
    HostBatch batch = numbered(rows, 64);
    std::atomic<std::uint32_t> computed{0};
    const EmbeddingBlock block = threads.encode(batch, [&](const HostBatch& part) {
      computed += part.rows;
      return numbers_of(part);
    });
    const EmbeddingBlock expected = numbers_of(batch);
    CHECK(computed == rows);
    CHECK(block.rows == rows);
    CHECK(block.dimension == 2);
    CHECK(block.values == expected.values);
  }
}

TEST_CASE("filled parts all have the same rows, and dummies give no vector") {
  EncodingThreads threads(2);
  for (const std::uint32_t rows : {1U, 3U, 4U, 5U, 8U, 9U}) {
    INFO(rows);
    HostBatch batch = numbered(rows, 3);
    batch.pixels.assign(std::size_t{rows} * 7, 1);
    std::atomic<std::uint32_t> parts{0};
    std::atomic<bool> alike{true};
    const EmbeddingBlock block = threads.encode_filled(batch, 4, [&](const HostBatch& part) {
      ++parts;
      alike = alike && part.rows == 4 && part.tokens.size() == 12 && part.pixels.size() == 28 &&
              part.lengths.size() == 4 && at::get_num_threads() == 1;
      return numbers_of(part);
    });
    CHECK(parts == (rows + 3) / 4);
    CHECK(alike);
    CHECK(block.rows == rows);
    CHECK(block.values == numbers_of(batch).values);
  }
}

TEST_CASE("in a part an operator has one thread; with the whole batch, and afterwards, all") {
  at::set_num_threads(2);
  EncodingThreads threads(2);
  std::atomic<int> most{0};
  const auto note = [&](const HostBatch& part) {
    most = std::max(most.load(), at::get_num_threads());
    return numbers_of(part);
  };
  threads.encode(numbered(1, 64), note);
  CHECK(most == 2);
  most = 0;
  threads.encode(numbered(32, 128), note);
  CHECK(most == 1);
  CHECK(at::get_num_threads() == 2);
}

TEST_CASE("what a part throws is thrown, and the next batch is computed") {
  EncodingThreads threads(2);
  const HostBatch batch = numbered(32, 128);
  CHECK_THROWS_AS(threads.encode(batch,
                                 [](const HostBatch& part) -> EmbeddingBlock {
                                   if (part.tokens.front() == 8) {
                                     throw std::runtime_error("the second part");
                                   }
                                   return numbers_of(part);
                                 }),
                  std::runtime_error);
  CHECK(threads.encode(batch, numbers_of).values == numbers_of(batch).values);
}
