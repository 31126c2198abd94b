#include "store/merged_output.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/progress_json.hpp"
#include "store/record_csv.hpp"
#include "store/table_chunks.hpp"
#include "store/text_file.hpp"

namespace longhaul::store {
namespace {

using nlohmann::json;

constexpr const char* kMerged = "merged";  // in a note

// The tables of one shard, in step.
class ShardTables {
 public:
  ShardTables(Files& files, const OutputReader& shard, std::string remedy, std::size_t chunk)
      : shard_(shard),
        remedy_(std::move(remedy)),
        records_(open(files, store_files::kRecords, shard.claims()->claims.records_bytes, chunk),
                 shard.layout(), Rows::kSelected, remedy_),
        rejects_(open(files, store_files::kRejects, shard.claims()->claims.rejects_bytes, chunk),
                 remedy_) {}

  RecordRow next(std::uint64_t position) {
    RecordRow row;
    if (!records_.next(row)) {
      damaged(records_.path(), "ends before row " + std::to_string(position) + " of the input");
    }
    if (row.position != position) {
      damaged(at(records_), "holds row " + std::to_string(row.position) + " where row " +
                                std::to_string(position) + " belongs");
    }
    if (row.status == Status::kRejected) {
      RecordRow reject;
      if (!rejects_.next(reject) || reject.position != position || reject.id != row.id) {
        damaged(at(rejects_), "is not about row " + std::to_string(position) +
                                  ", which records.csv says is rejected");
      }
      row.line = reject.line;
      row.defect = std::move(reject.defect);
    }
    row.row = position;
    return row;
  }

  void require_end() {
    RecordRow extra;
    if (records_.next(extra)) {
      damaged(at(records_), "is one record too many");
    }
    if (rejects_.next(extra)) {
      damaged(at(rejects_), "names a record that records.csv does not hold as rejected");
    }
  }

 private:
  CsvReader open(Files& files, const char* name, std::uint64_t bytes, std::size_t chunk) const {
    return open_in_chunks(files, shard_.path_of(name), remedy_, bytes, chunk);
  }
  template <typename Cursor>
  static std::string at(const Cursor& cursor) {
    return cursor.path() + " line " + std::to_string(cursor.line());
  }
  [[noreturn]] void damaged(const std::string& where, const std::string& what) const {
    throw Error(ExitCode::kBadData, where + " " + what, remedy_);
  }

  const OutputReader& shard_;
  std::string remedy_;
  RecordCursor records_;
  RejectCursor rejects_;
};

// Of many shards, less of each.
std::size_t chunk_of(std::size_t shards) {
  constexpr std::size_t kAll = std::size_t{64} << 20;
  constexpr std::size_t kLeast = std::size_t{16} << 10;
  constexpr std::size_t kMost = std::size_t{256} << 10;
  return std::clamp(kAll / (2 * std::max<std::size_t>(shards, 1)), kLeast, kMost);
}

Journal begin_journal(Files& files, const std::string& directory, const MergedOutput::Parts& parts,
                      const json& run) {
  Journal journal(files.open(path_in(directory, store_files::kJournal), OpenMode::kCreate),
                  JournalEnd{});
  journal.append("begin", {{"version", kJournalVersion},
                           {"layout", to_json(parts.layout)},
                           {"run", run},
                           {"session", parts.holder}});
  files.sync_directory(directory);
  return journal;
}

Journal go_on(Files& files, const std::string& directory, const MergedOutput::Parts& parts,
              const JournalEnd& end) {
  Journal journal(files.open(path_in(directory, store_files::kJournal), OpenMode::kReadWrite), end);
  journal.append("note", {{"note", {{"session", parts.holder}}}});
  return journal;
}

}  // namespace

std::optional<std::uint64_t> merged_shards(const StoreState& state) {
  return state.begin.contains(kMergedShards)
             ? std::optional(state.begin.at(kMergedShards).get<std::uint64_t>())
             : std::nullopt;
}

std::map<std::uint64_t, std::string> merge_claims(const StoreState& state) {
  std::map<std::uint64_t, std::string> claims;
  for (const json& note : state.notes) {
    if (const auto merged = note.find(kMerged); note.is_object() && merged != note.end()) {
      claims[merged->at("shard")] = merged->at("journal");
    }
  }
  return claims;
}

MergedOutput::MergedOutput(Files& files, std::string directory, const Parts& parts, const json& run)
    : files_(files),
      directory_(std::move(directory)),
      parts_(parts),
      journal_(begin_journal(files, directory_, parts, run)),
      arrays_(files, directory_, parts.layout, parts.rows, parts.deal, parts.remedy) {
  files_.sync_directory(directory_);
}

MergedOutput::MergedOutput(Files& files, std::string directory, const Parts& parts,
                           const JournalState& state)
    : files_(files),
      directory_(std::move(directory)),
      parts_(parts),
      journal_(go_on(files, directory_, parts, state.end)),
      arrays_(files, directory_, parts.layout, parts.rows, parts.deal, parts.remedy) {
  files_.sync_directory(directory_);
}

void MergedOutput::require_own() const {
  require_own_journal(files_, in(store_files::kJournal), journal_.end());
}

void MergedOutput::take(std::uint64_t index, const std::function<void(std::uint64_t)>& each) {
  const OutputReader& shard = *parts_.shards[index - 1];
  if (shard.rows() > 0) {
    arrays_.copy(shard, index - 1, each);
    arrays_.sync();
  }
  require_own();
  journal_.append(
      "note", {{"note", {{kMerged, {{"shard", index}, {"journal", shard.claims()->end.crc}}}}}});
}

void MergedOutput::write_tables(const Judge& judge, const std::function<void()>& each) {
  std::vector<std::optional<ShardTables>> from;
  for (const OutputReader* shard : parts_.shards) {
    from.emplace_back();
    if (shard->rows() > 0) {
      from.back().emplace(files_, *shard, parts_.remedy, chunk_of(parts_.shards.size()));
    }
  }
  TextFile records(files_.open(in(store_files::kRecords), OpenMode::kCreate), 0);
  TextFile rejects(files_.open(in(store_files::kRejects), OpenMode::kCreate), 0);
  records.append(records_header(parts_.layout));
  rejects.append(rejects_header());
  for (std::uint64_t position = 0; position < parts_.rows; ++position) {
    if (position % parts_.deal.block == 0) {
      each();
    }
    RecordRow row = from[parts_.deal.shard(position)].value().next(position);
    const Vector vector = judge(row);
    if (vector == Vector::kOriginals) {
      arrays_.copy_row(row.duplicate_of.value(), position);
    } else if (vector == Vector::kNone) {
      arrays_.put_nan(position);
    }
    records.append(records_line(parts_.layout, row));
    if (row.status == Status::kRejected) {
      rejects.append(rejects_line(row));
    }
  }
  for (std::optional<ShardTables>& tables : from) {
    if (tables) {
      tables->require_end();
    }
  }
  records.sync();
  rejects.sync();
  claims_ = arrays_.claims();
  claims_.records_bytes = records.size();
  claims_.records_hash = records.segment_hash();
  claims_.rejects_bytes = rejects.size();
  claims_.rejects_hash = rejects.segment_hash();
}

void MergedOutput::commit(const Progress& progress) {
  arrays_.sync();
  files_.sync_directory(directory_);
  require_own();
  nlohmann::ordered_json fields = to_json(progress);
  fields.update(to_json(claims_));
  journal_.append("commit", fields);
}

void MergedOutput::finish(const nlohmann::ordered_json& run_report, nlohmann::ordered_json line) {
  require_own();
  arrays_.finish();
  files_.sync_directory(directory_);
  finish_run(files_, directory_, journal_, parts_.rows, report_text(run_report), std::move(line));
}

}  // namespace longhaul::store
