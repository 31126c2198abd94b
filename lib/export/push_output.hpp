// `longhaul push`: the accepted rows of a finished output, in order, into a table of a database,
// one transaction a batch. A row that is there already, bit for bit, is not sent again, so that the
// same command goes on where it was stopped, whoever stopped it. A row that another input put there
// is never replaced, as far as ids and vectors tell. One thread. Memory is a batch and 24 bytes a
// row. Rows of the table that this output does not have stay as they are.
// Errors: those of store/checked_rows.hpp; kUsage and kBadData for what a table cannot hold, before
// anything is changed; kUnavailable for a database that cannot be reached, was lost, has no
// pgvector or gives no permission; kMismatch for a table of other columns, another dimension,
// vectors of another model or rows of another input; kIo where its disk is full; kInterrupted when
// it was asked to stop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "export/database_table.hpp"
#include "store/output_reader.hpp"

namespace longhaul::export_room {

struct PushRequest {
  std::string uri;
  std::string table;  // NAME or SCHEMA.NAME
  PushKey key = PushKey::kId;
  std::optional<std::string> layer;  // whose vectors; none: the first
  std::optional<VectorMetric> index;
  std::optional<std::uint64_t> batch_rows;  // none: by their size
};

using OpenDatabase = std::function<std::unique_ptr<DatabaseTable>(const DatabaseTarget& target)>;

struct PushContext {
  OpenDatabase open;
  unsigned connect_seconds = 0;  // see DatabaseTarget
  std::function<bool()> stop;
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;  // called for every row
};

struct PushSummary {
  std::string place;
  BatchOutcome rows;
  std::uint64_t rejected = 0;    // left out
  std::uint64_t duplicates = 0;  // left out
  std::uint64_t batches = 0;
  bool index_made = false;
  std::vector<std::string> arrays_left_out;  // "tokens", "embeddings.early"
};

// The table that an output's rows need. A kept column whose name is taken, or is one that
// PostgreSQL keeps for itself, becomes input.NAME.
TableShape push_shape(const store::OutputReader& output, const PushRequest& request);

// `output` is from store::open_finished().
PushSummary push_output(const store::OutputReader& output, const PushRequest& request,
                        const PushContext& context);

}  // namespace longhaul::export_room
