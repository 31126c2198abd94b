// How the threads of a CPU share a batch: whole rows to each, which computes them alone from the
// first operator to the last. They wait for each other once a batch; with every operator's work
// shared out they do so a hundred times, and each time for the slowest.
#pragma once

#include <cstdint>
#include <functional>

#include "base/worker_pool.hpp"
#include "encode/batch.hpp"

namespace longhaul {

// While it lives, LibTorch's operators called on this thread share their work with no other.
class OperatorsAlone {
 public:
  OperatorsAlone();
  ~OperatorsAlone();
  OperatorsAlone(const OperatorsAlone&) = delete;
  OperatorsAlone& operator=(const OperatorsAlone&) = delete;

 private:
  const int before_;
};

// The rows of a part when `threads` share `rows` of `width` tokens; all of them where that would
// leave threads idle for longer than they would wait for each other.
std::uint32_t rows_per_part(std::uint32_t rows, std::uint32_t width, std::uint32_t threads);

// The encoding thread makes one and calls it; the others are its own.
class EncodingThreads {
 public:
  using Encode = std::function<EmbeddingBlock(const HostBatch&)>;

  // `count` in all; LibTorch has been told so. Fewer, where the system refuses some.
  explicit EncodingThreads(std::uint32_t count);

  // `encode` must compute a row's vector from that row alone, and is called from several threads at
  // once, each with some rows of `batch`; or once, with all of them and every thread at its
  // operators' service. What it throws is thrown when no part is being computed any more.
  EmbeddingBlock encode(const HostBatch& batch, const Encode& encode);

  // For an `encode` whose bits depend on the number of rows and of threads: every call has
  // `part_rows` rows, the last one's filled with dummies, and one thread.
  EmbeddingBlock encode_filled(const HostBatch& batch, std::uint32_t part_rows,
                               const Encode& encode);

 private:
  EmbeddingBlock encode_parts(const HostBatch& batch, std::uint32_t part_rows,
                              const Encode& encode);

  const std::uint32_t count_;
  WorkerPool pool_;
};

}  // namespace longhaul
