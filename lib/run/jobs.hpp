// What travels between the threads of the pipeline. Values, moved.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "encode/batch.hpp"
#include "run/encoded_rows.hpp"
#include "run/window_source.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::run {

// What became of a record after it was measured: it has no vector, or that of another row.
inline LateOutcome late_reject(std::uint64_t row, Defect defect) {
  return {row, Status::kRejected, std::move(defect), std::nullopt, std::nullopt};
}
inline LateOutcome late_duplicate(std::uint64_t row, std::uint64_t of) {
  return {row, Status::kDuplicate, std::nullopt, of, std::nullopt};
}

// Parts of a window's order, assembled: those of records [first, first + count) of that order. A
// record's last segment decides which job it belongs to; a long one may begin in one before that. A
// window without accepted records still makes one job, without rows.
struct BatchJob {
  // Shared by the jobs of one window, which are in different threads at the same time; the last one
  // written frees it.
  std::shared_ptr<Window> window;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  std::vector<encode::HostBatch> parts;
  std::vector<std::uint32_t> records;  // of the window, one per used row of the parts
  std::vector<prepare::Row> rows;      // what these rows are of, likewise
  std::vector<std::uint32_t> taken;    // of the window: their rows are those of older outputs
  std::vector<LateOutcome> late;
  Work work;                                   // what of its window's is done with it
  bool last = false;                           // of its window
  std::optional<std::uint64_t> records_total;  // of the input, as far as it tells by now
};

// The same, encoded.
struct EncodedJob {
  std::shared_ptr<Window> window;  // see BatchJob
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  EncodedRows rows;
  std::vector<std::uint32_t> records;  // of the window, one per row
  std::vector<bool> has_vector;        // one per row
  std::vector<std::uint32_t> taken;    // see BatchJob
  // Rows that were computed in a part of other rows than theirs, and others: see Counters.
  std::uint64_t reshaped = 0;
  std::uint64_t computed_alone = 0;
  std::uint64_t stayed_not_finite = 0;
  std::vector<LateOutcome> late;
  Work work;  // see BatchJob
  bool last = false;
  std::optional<std::uint64_t> records_total;
};

}  // namespace longhaul::run
