#include "session/merge.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "input/input_digest.hpp"
#include "run/repeated_ids.hpp"
#include "session/duplicate_judge.hpp"
#include "session/merge_checks.hpp"
#include "session/merged_report.hpp"
#include "session/mode.hpp"
#include "session/run_report.hpp"
#include "session/shard_set.hpp"
#include "store/merged_output.hpp"
#include "store/shards.hpp"
#include "store/store_directory.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;
using store::MergedOutput;
using Claims = std::map<std::uint64_t, std::string>;

using store::kMergedShards;

// What a merge is of: where it is another than one that was begun here, that one is begun anew.
bool same_merge(const json& before, const json& now) {
  for (const char* name : {kMergedShards, "whole", "fingerprint", "kept_columns"}) {
    if (before.value(name, json()) != now.at(name)) {
      return false;
    }
  }
  return true;
}

class Merge {
 public:
  Merge(const MergeRequest& request, const MergeHost& host, const ShardSet& set)
      : request_(request), host_(host), files_(host.files), set_(set) {}

  // Goes on with what `state` says was begun.
  ExitCode run(std::optional<store::JournalState> state);

 private:
  const std::string& out() const { return request_.output; }
  std::string name() const { return printable(out(), 400); }
  json begin_line() const;
  void stop_if_asked() const;
  void take_rows(MergedOutput& output, const Claims& claims);
  void remove_arrays(const ShardOutput& shard) const;
  store::Progress write_tables(MergedOutput& output);
  Counters beside_tables() const;
  store::Progress claim(const Counters& counters) const;
  ExitCode finish(MergedOutput& output, const Counters& counters);

  const MergeRequest& request_;
  const MergeHost& host_;
  Files& files_;
  const ShardSet& set_;
  std::vector<nlohmann::ordered_json> reports_;
  config::RejectLimit limit_;
};

ExitCode Merge::run(std::optional<store::JournalState> state) {
  const json begin = begin_line();
  const store::StoreLayout layout = set_.first().output.layout();
  if (state && (!same_merge(state->run.begin, begin) || state->run.layout != layout)) {
    host_.log.info("a merge of other shards was begun in " + name() + ": it begins anew");
    store::remove_run_files(files_, out());
    state.reset();
  }
  const bool written = state && state->run.progress;
  Claims claims = state ? store::merge_claims(state->run) : Claims();
  std::erase_if(claims, [&](const auto& claim) {
    return claim.first > set_.count() || set_.shards[claim.first - 1].identity() != claim.second;
  });
  if (!written) {
    require_shard_files(files_, set_, claims, [this] { stop_if_asked(); });
  }
  reports_ = shard_reports(set_);
  limit_ = request_.max_rejects.value_or(limit_of(reports_));
  if (!written) {
    require_few_rejects(set_, limit_, out());
    require_merge_space(files_, set_, claims, out(), request_.remove_shards);
  }
  std::vector<const store::OutputReader*> shards;
  for (const ShardOutput& shard : set_.shards) {
    shards.push_back(&shard.output);
  }
  const MergedOutput::Parts parts{.layout = layout,
                                  .rows = set_.whole().records,
                                  .deal = {set_.count(), set_.block()},
                                  .shards = shards,
                                  .remedy = kMendShard,
                                  .holder = host_.lock_holder};
  host_.log.info((state ? "going on merging " : "merging ") + format_count(set_.count()) +
                 " shards with " + format_count(parts.rows) + " records in " + name());
  MergedOutput output = state ? MergedOutput(files_, out(), parts, *state)
                              : MergedOutput(files_, out(), parts, begin);
  if (written) {
    return finish(output, counters_from_json(state->run.progress->counters));
  }
  take_rows(output, claims);
  const store::Progress progress = write_tables(output);
  output.commit(progress);
  return finish(output, counters_from_json(progress.counters));
}

// As a single run would have begun, and what is merged.
json Merge::begin_line() const {
  RunBegin begin = set_.first().begin;
  begin.shard.reset();
  begin.index.reset();
  begin.created = host_.utc_now();
  begin.versions = host_.versions;
  json line = to_json(begin);
  line[kMergedShards] = set_.count();
  line["whole"] = {{"records", set_.whole().records},
                   {"digest", to_hex(set_.whole().digest.content)}};
  return line;
}

void Merge::stop_if_asked() const {
  if (host_.stop && host_.stop()) {
    throw Error(ExitCode::kInterrupted,
                "interrupted; the shards are as they were, and what is merged of them in " +
                    name() + " is kept",
                "give the same command again");
  }
}

void Merge::take_rows(MergedOutput& output, const Claims& claims) {
  output.place();
  std::uint64_t done = 0;
  for (const ShardOutput& shard : set_.shards) {
    if (!claims.contains(shard.shard.index)) {
      output.take(shard.shard.index, [&](std::uint64_t copied) {
        stop_if_asked();
        if (host_.progress) {
          host_.progress(done + copied, set_.whole().records);
        }
      });
    }
    done += shard.output.rows();
    if (request_.remove_shards) {
      remove_arrays(shard);
    }
  }
}

// Its rows are in the merged output now, durably. All else of it stays to the end.
void Merge::remove_arrays(const ShardOutput& shard) const {
  for (const OutputSpec& array : shard.output.layout().outputs) {
    files_.remove(shard.output.path_of(store::array_file(array)));
  }
}

store::Progress Merge::write_tables(MergedOutput& output) {
  Counters counters;
  run::RepeatedIds ids;
  std::uint64_t rejected = 0;
  const RunBegin& begin = set_.first().begin;
  const std::string word = begin.fingerprint.value("skip-duplicates", "off");
  DuplicateJudge duplicates(from_string<SkipDuplicates>(word).value_or(SkipDuplicates::kOff),
                            set_.first().output.layout().kept_columns);
  const auto judge = [&](RecordRow& row) {
    rejected += row.status == Status::kRejected ? 1U : 0U;
    const MergedOutput::Vector vector = duplicates.judge(row);
    counters.add(row, {});
    counters.repeated_ids += ids.repeats(row.id) ? 1U : 0U;
    return vector;
  };
  output.write_tables(judge, [this] { stop_if_asked(); });
  counters.repeated_ids_exact = !ids.overflowed();
  const Counters more = beside_tables();
  if (rejected != more.rejected) {
    throw Error(ExitCode::kBadData,
                "the tables of the shards in " + name() + " hold " + format_count(rejected) +
                    " rejected records, and their journals " + format_count(more.rejected),
                "remove the folder shards and begin all of them anew");
  }
  counters.stops_dropped = more.stops_dropped;
  counters.looks_like_nucleotides = more.looks_like_nucleotides;
  counters.reshaped = more.reshaped;
  counters.computed_alone = more.computed_alone;
  counters.stayed_not_finite = more.stayed_not_finite;
  counters.left_out = more.left_out;
  return claim(counters);
}

// What the lines of tables do not tell, and the rejects for comparison.
Counters Merge::beside_tables() const {
  Counters sum;
  std::uint64_t farthest = 0;
  for (const ShardOutput& shard : set_.shards) {
    const Counters& theirs = shard.counters;
    sum.rejected += theirs.rejected;
    sum.stops_dropped += theirs.stops_dropped;
    sum.looks_like_nucleotides += theirs.looks_like_nucleotides;
    sum.reshaped += theirs.reshaped;
    sum.computed_alone += theirs.computed_alone;
    sum.stayed_not_finite += theirs.stayed_not_finite;
    // Each read all of the input, and counted to its own last record.
    const auto& progress = shard.output.claims()->run.progress;
    if (progress && progress->input_records >= farthest) {
      farthest = progress->input_records;
      sum.left_out = theirs.left_out;
    }
  }
  return sum;
}

store::Progress Merge::claim(const Counters& counters) const {
  store::Progress progress;
  progress.window = 1;
  progress.window_start = progress.input_records = set_.whole().records;
  progress.counters = to_json(counters);
  input::InputDigest times;
  for (const ShardOutput& shard : set_.shards) {
    times.add(shard.finish.own.digest);
    const auto& theirs = shard.output.claims()->run.progress;
    if (theirs && theirs->input_records == set_.whole().records) {
      progress.cursor = theirs->cursor;
    }
  }
  progress.input_hash = times.value();
  progress.selected_hash = progress.input_hash;
  return progress;
}

ExitCode Merge::finish(MergedOutput& output, const Counters& counters) {
  const ExitCode code = completed_code(counters, limit_.limited());
  write_memory_log(files_, out(), set_, host_.log);
  json merge = host_.session;
  merge["longhaul"] = host_.versions;
  merge["stop"] = host_.utc_now();
  output.finish(merged_report(set_, reports_,
                              {code, counters, set_.first().begin.fingerprint, std::move(merge),
                               request_.settings}),
                {{"code", to_int(code)}, {kMergedShards, set_.count()}});
  std::string line = "merged " + format_count(set_.count()) +
                     " shards: " + format_count(counters.records) + " records, " +
                     format_count(counters.ok) + " with a vector";
  if (counters.duplicates > 0) {
    line += ", " + format_count(counters.duplicates) + " duplicates";
  }
  if (counters.rejected > 0) {
    line += ", " + format_count(counters.rejected) + " rejected, see rejects.csv";
  }
  host_.log.info(line);
  if (const auto warning = left_out_warning(counters.left_out, out())) {
    host_.log.warning(*warning);
  }
  if (const auto why = completed_error(code, counters, out())) {
    host_.log.error(*why);
  }
  return code;
}

// What was begun in OUT itself.
std::optional<store::JournalState> read_state(Files& files, const std::string& output) {
  const std::string path = store::path_in(output, store::store_files::kJournal);
  std::optional<store::JournalState> state;
  if (files.exists(path)) {
    const auto file = files.open(path, OpenMode::kRead);
    state = store::read_journal(*file, path);
    if (!state && file->size() > 0) {
      store::is_output_directory(files, output);  // refuses what is not ours
    }
  }
  if (!state) {
    for (const std::string& name : files.list(output)) {
      if (store::is_array_file(name) || name == store::store_files::kRecords ||
          name == store::store_files::kRejects || name == store::store_files::kReport) {
        throw Error(
            ExitCode::kMismatch,
            printable(output, 400) + " holds " + name + ", which no journal of ours vouches for",
            "take it away, or embed into another --output");
      }
    }
    return state;
  }
  if (!store::merged_shards(state->run)) {
    throw Error(ExitCode::kMismatch,
                printable(output, 400) + " was begun without --shard: there is nothing to merge",
                "name an output directory whose records were embedded with --shard");
  }
  if (state->run.merging) {
    throw Error(
        ExitCode::kInterrupted,
        printable(output, 400) + " is merged, and a retry of its rejected rows is not finished",
        "give the command of the retry again");
  }
  return state;
}

// Of those that others have, who has them.
Claims lock_shards(const MergeHost& host, const std::string& output,
                   std::vector<std::unique_ptr<FileLock>>& locks) {
  Claims busy;
  for (const Shard& shard : store::list_shards(host.files, output)) {
    const std::string path =
        store::path_in(store::shard_directory(output, shard), store::store_files::kLock);
    if (auto lock = host.files.lock(path, host.lock_holder, std::nullopt)) {
      locks.push_back(std::move(lock));
    } else {
      const std::string holder = read_text(host.files, path);
      busy[shard.index] = holder.empty() ? "another process" : printable(holder, 400);
    }
  }
  return busy;
}

// The line that says so was read, and must last before the shards go.
void remove_merged(const MergeHost& host, const std::string& output) {
  if (!store::has_shards(host.files, output)) {
    return;
  }
  const std::string path = store::path_in(output, store::store_files::kJournal);
  {
    const auto state = store::read_journal(*host.files.open(path, OpenMode::kRead), path);
    const store::Journal durable(host.files.open(path, OpenMode::kReadWrite), state->end);
  }
  store::remove_shards(host.files, output, host.lock_holder);
  host.log.info("the shards of " + printable(output, 400) + " are removed");
}

}  // namespace

ExitCode merge_shards(const MergeRequest& request, const MergeHost& host) {
  Files& files = host.files;
  const std::string& output = request.output;
  if (files.kind(output) != PathKind::kDirectory) {
    throw Error(ExitCode::kIo, printable(output, 400) + " is not a directory",
                "name the output directory that the shards were embedded into");
  }
  const auto finished = [&](const std::optional<store::JournalState>& state) {
    return state && state->run.finish;
  };
  std::optional<store::JournalState> state = read_state(files, output);
  const bool all_done =
      finished(state) && !(request.remove_shards && store::has_shards(files, output));
  std::unique_ptr<FileLock> lock;
  if (!all_done) {
    lock = store::lock_output(files, output, {.holder = host.lock_holder, .adopt = {}});
    state = read_state(files, output);
  }
  ExitCode code{};
  if (finished(state)) {
    host.log.info(printable(output, 400) + " is merged: nothing to do");
    code = finished_code(state->run);
  } else {
    std::vector<std::unique_ptr<FileLock>> locks;
    const Claims busy = lock_shards(host, output, locks);
    const ShardSet set = read_shard_set(files, output, busy);
    code = Merge(request, host, set).run(std::move(state));
  }
  if (request.remove_shards) {
    remove_merged(host, output);
  }
  return code;
}

}  // namespace longhaul::session
