// How the threads of a CPU share a batch: each computes whole parts alone, from the first operator
// to the last. They wait for each other once a batch; with every operator's work shared out they do
// so a hundred times, and each time for the slowest. And a part's bits cannot depend on how many
// threads there are.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/worker_pool.hpp"
#include "encode/batch.hpp"

namespace longhaul::torch_room {

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

// The encoding thread makes one and calls it; the others are its own.
class EncodingThreads {
 public:
  using Encode = std::function<encode::EncodedBatch(const encode::HostBatch&)>;

  // `count` in all; LibTorch has been told so. Fewer, where the system refuses some.
  explicit EncodingThreads(std::uint32_t count) : count_(count), pool_(count) {}

  std::uint32_t count() const { return count_; }

  // `encode` is called once a part, from several threads at once. One of these for each, in
  // their order.
  // What it throws is thrown when no part is being computed any more.
  std::vector<encode::EncodedBatch> encode(std::span<const encode::HostBatch> parts,
                                           const Encode& encode);

 private:
  const std::uint32_t count_;
  WorkerPool pool_;
};

}  // namespace longhaul::torch_room
