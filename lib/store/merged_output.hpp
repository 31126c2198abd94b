// An output directory that is put together from shards, each a finished output of its own whose
// tables name rows of the whole. A kill at any moment loses nothing, and the next start goes on:
//   1. the journal's first line
//   2. shard by shard: its rows to their places, synced; a note claims them. From then on that
//      shard's arrays are not needed any more
//   3. the tables, in order, from those of all shards
//   4. everything synced; one commit claims it
//   5. names and headers, run.json, the "finish" line
// The caller holds the locks of the output and of the shards, and has proved that the shards belong
// together. One thread; memory is a block of rows and a chunk of each table. Errors: kIo; kBadData
// for damage, with the shard's file, and the row or line.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>

#include "base/files.hpp"
#include "domain/record_row.hpp"
#include "store/embedding_store.hpp"
#include "store/journal.hpp"
#include "store/journal_state.hpp"
#include "store/merged_arrays.hpp"
#include "store/output_reader.hpp"

namespace longhaul::store {

// In the first line of a merge's journal: how many shards it is of.
inline constexpr const char* kMergedShards = "shards";
// How many shards an output was merged from, or is being; nothing for any other.
std::optional<std::uint64_t> merged_shards(const StoreState& state);

// What a merge that was begun has claimed: index of a shard, from 1, and the last checksum of the
// journal that it had then.
std::map<std::uint64_t, std::string> merge_claims(const StoreState& state);

class MergedOutput {
 public:
  struct Parts {
    StoreLayout layout;
    std::uint64_t rows = 0;
    Deal deal;
    std::span<const OutputReader* const> shards;  // all, in order; they outlive this
    std::string remedy = {};                      // for one that is damaged
    // Who merges, in the journal: of two, where locks do not keep them apart, the first finds the
    // other one's line at its next claim, and ends with Error(kUnavailable).
    std::string holder = {};
  };
  // What the row of a record holds in the whole.
  enum class Vector { kOwn, kOriginals, kNone };
  // Looks at each line in order and may change what became of the record; a duplicate names its
  // original.
  using Judge = std::function<Vector(RecordRow& row)>;

  // Begins in a directory without a journal of ours; `run` is what StoreDirectory::begin() takes.
  MergedOutput(Files& files, std::string directory, const Parts& parts, const nlohmann::json& run);
  // Goes on with what `state` says of the directory.
  MergedOutput(Files& files, std::string directory, const Parts& parts, const JournalState& state);

  // Before the first take(), at each start.
  void place() { arrays_.place(parts_.shards); }
  // Copies the rows of shard `index`, from 1, and claims them. `each` is called for each block and
  // may throw.
  void take(std::uint64_t index, const std::function<void(std::uint64_t copied)>& each);
  void write_tables(const Judge& judge, const std::function<void()>& each);
  // After write_tables().
  void commit(const Progress& progress);
  // After commit(), in this process or an earlier one.
  void finish(const nlohmann::ordered_json& run_report, nlohmann::ordered_json line);

 private:
  void require_own() const;
  std::string in(const char* name) const { return path_in(directory_, name); }

  Files& files_;
  std::string directory_;
  Parts parts_;
  Journal journal_;
  MergedArrays arrays_;
  FileClaims claims_;  // of what write_tables() left
};

}  // namespace longhaul::store
