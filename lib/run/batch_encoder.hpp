// Encodes one batch whatever memory allows: splits it when it does not fit, rejects a row that does
// not fit alone, and computes rows that are not finite once more by themselves.
// The encoder's thread; borrows all it is given.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/log.hpp"
#include "base/outcome.hpp"
#include "encode/encoder.hpp"
#include "plan/memory_governor.hpp"

namespace longhaul {

class BatchEncoder {
 public:
  struct Failure {
    std::uint32_t row = 0;
    Defect defect;
  };
  struct Result {
    EmbeddingBlock block;           // one row per used row; undefined where it failed
    std::vector<Failure> failures;  // ascending
  };

  BatchEncoder(Encoder& encoder, std::function<Encoder&()> exact_encoder, MemoryGovernor& governor,
               Log& log)
      : encoder_(encoder),
        exact_encoder_(std::move(exact_encoder)),
        governor_(governor),
        log_(log) {}

  // A single record that does not fit is rejected, unless as much fitted before: then it is no
  // record's fault, and Error(kMemory) ends the session.
  // `width` is what the batch's cost is reckoned with. Throws Error(kBadData) when more than 1 % of
  // all rows, and no fewer than ten, stay not finite.
  Result encode(const HostBatch& batch, std::uint32_t width);

  std::uint64_t out_of_memory_count() const { return out_of_memory_; }
  std::uint64_t not_finite_count() const { return not_finite_; }
  bool has_split() const { return has_split_; }

 private:
  // Rows [from, from + count) of the batch.
  void encode_rows(const HostBatch& batch, std::uint32_t width, std::uint32_t from,
                   std::uint32_t count, Result& result);
  void split_rows(const HostBatch& batch, std::uint32_t width, std::uint32_t from,
                  std::uint32_t count, Result& result);
  // False when it ran out of memory. `from` is the place of its first row in the result.
  bool attempt(const HostBatch& batch, std::uint32_t width, std::uint32_t from, Result& result);
  void check_finite(const HostBatch& batch, Result& result);

  Encoder& encoder_;
  std::function<Encoder&()> exact_encoder_;
  MemoryGovernor& governor_;
  Log& log_;
  std::uint64_t rows_ = 0;
  std::uint64_t out_of_memory_ = 0;
  std::uint64_t not_finite_ = 0;         // rows, cured or not
  std::uint64_t stayed_not_finite_ = 0;  // rows
  bool has_split_ = false;
  double largest_fitted_ = 0;  // cost
};

}  // namespace longhaul
