#include "session/shard_set.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "input/input_digest.hpp"
#include "input/selection.hpp"
#include "session/shard_choices.hpp"
#include "store/merged_arrays.hpp"
#include "store/progress_json.hpp"
#include "store/shards.hpp"
#include "store/text_file_verifier.hpp"
#include "store/verify.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;

constexpr const char* kOneKind =
    "embed the shards that differ anew, with their command and --overwrite, or remove the folder "
    "shards and begin all of them anew";

[[noreturn]] void mismatch(const std::string& what, const std::string& remedy = kOneKind) {
  throw Error(ExitCode::kMismatch, what, remedy);
}

[[noreturn]] void bad_data(const std::string& what, const std::string& remedy = kMendShard) {
  throw Error(ExitCode::kBadData, what, remedy);
}

// The choices that make bits: what is computed in which shape, by which kernels.
json shaping(const Choices& choices) {
  json object = to_json(choices);
  for (const char* free : {"threads", "device", "window"}) {
    object.erase(free);
  }
  return object;
}

void require_same(const std::string& who, const json& expected, const json& found) {
  json all = expected;
  all.update(found);
  for (const auto& [name, value] : all.items()) {
    const json one = expected.value(name, json());
    const json other = found.value(name, json());
    if (one != other) {
      mismatch(who + " was made with " + name + " " + other.dump() + ", the others with " +
               one.dump());
    }
  }
}

// How records were dealt.
std::string by(const std::optional<IndexIdentity>& index) {
  return index ? "by an index of " + format_count(index->records) + " records with the digest " +
                     to_hex(index->digest)
               : "without an index";
}

class Reader {
 public:
  Reader(Files& files, const std::string& output, const std::map<std::uint64_t, std::string>& busy)
      : files_(files), output_(output), busy_(busy) {}

  ShardSet read() {
    count();
    for (std::uint64_t index = 1; index <= count_; ++index) {
      try {
        look({index, count_});
      } catch (const json::exception& error) {
        bad_data(path({index, count_}) +
                 "/journal.jsonl lacks what a shard's holds: " + error.what());
      }
    }
    if (!set_.shards.empty()) {
      require_one_input();
    }
    if (!waiting_.empty()) {
      say_what_is_missing();
    }
    require_all_of_it();
    return std::move(set_);
  }

 private:
  std::string path(const Shard& shard) const { return store::shard_directory(output_, shard); }

  // How many there are to be, as choices.json says, or the folders where it was lost.
  void count() {
    require_no_strangers();
    const std::vector<Shard> found = store::list_shards(files_, output_);
    choices_ = read_shard_choices(files_, output_);
    if (!choices_ && found.empty()) {
      throw Error(
          ExitCode::kInterrupted,
          "there is nothing to merge in " + printable(output_, 400) + ": no shard was begun there",
          "embed with --shard first");
    }
    count_ = choices_ ? choices_->shards : found.front().count;
    if (count_ == 0) {
      bad_data(store::shards_directory(output_) + "/choices.json says that there are no shards");
    }
    for (const Shard& shard : found) {
      if (shard.count != count_) {
        mismatch(path(shard) + " is one of " + format_count(shard.count) +
                     " shards, and the input is divided into " + format_count(count_),
                 "remove the folders of the division that does not count");
      }
    }
  }

  void require_no_strangers() const {
    const std::string directory = store::shards_directory(output_);
    if (files_.kind(directory) != PathKind::kDirectory) {
      return;
    }
    for (const std::string& name : files_.list(directory)) {
      const bool ours =
          name.starts_with("choices.") || name.starts_with('.') || store::shard_from_name(name);
      if (!ours) {
        mismatch(store::path_in(directory, printable(name)) + " is no shard",
                 "take it out of the folder of the shards");
      }
    }
  }

  void wait_for(const Shard& shard, const std::string& why) {
    ++waiting_count_;
    constexpr std::size_t kShown = 8;
    if (waiting_.size() < kShown) {
      waiting_.push_back(std::to_string(shard.index) + " " + why);
    } else if (waiting_.size() == kShown) {
      waiting_.emplace_back("...");
    }
  }

  void look(const Shard& shard) {
    const std::string directory = path(shard);
    if (files_.kind(directory) != PathKind::kDirectory) {
      wait_for(shard, "is missing");
      return;
    }
    require_journal(directory);
    const store::OutputReader reader(files_, directory, store::OutputReader::JournalFile::kRequired,
                                     kMendShard);
    const auto busy = busy_.find(shard.index);
    if (busy != busy_.end()) {
      wait_for(shard, "is being embedded by " + busy->second);
    } else if (!reader.claims()) {
      wait_for(shard, "was not begun");
    }
    if (!reader.claims()) {
      return;
    }
    const store::StoreState& state = reader.claims()->run;
    require_begin(shard, state);
    if (!state.finish) {
      if (busy == busy_.end()) {
        const std::uint64_t done =
            state.progress ? state.progress->window_start + state.progress->position : 0;
        wait_for(shard, "is not finished (" + format_count(done) + " records)");
      }
      return;
    }
    if (reader.claims()->end.torn) {
      bad_data(directory + "/journal.jsonl holds something after its last line");
    }
    set_.shards.push_back(
        {shard, reader, run_begin_from_json(state.begin), shard_finish_from_json(*state.finish),
         state.progress ? counters_from_json(state.progress->counters) : Counters()});
  }

  // A journal that is gone leaves files that nothing vouches for.
  void require_journal(const std::string& directory) const {
    if (files_.exists(store::path_in(directory, store::store_files::kJournal))) {
      return;
    }
    for (const std::string& name : files_.list(directory)) {
      if (store::is_array_file(name) || name == store::store_files::kRecords) {
        bad_data(store::path_in(directory, store::store_files::kJournal) + " is missing");
      }
    }
  }

  void require_begin(const Shard& shard, const store::StoreState& state) {
    const std::string directory = path(shard);
    if (state.version != store::kJournalVersion) {
      mismatch(directory + " was made by another version of longhaul (journal version " +
               std::to_string(state.version) + ")");
    }
    const RunBegin begin = run_begin_from_json(state.begin);
    if (!begin.shard) {
      mismatch(directory + " was embedded without --shard",
               "take it out of the folder of the shards");
    }
    if (*begin.shard != shard) {
      if (begin.shard->count != shard.count) {
        mismatch(directory + " holds " + in_words(*begin.shard));
      }
      bad_data(
          directory + " holds " + in_words(*begin.shard) + ", whose blocks are there twice then",
          "give each shard its own folder again, or embed this one anew with --overwrite");
    }
    if (state.retries > 0) {
      mismatch(directory + " was retried by itself: its rejected rows have other settings");
    }
    if (!expected_) {
      expected_ = {choices_ ? choices_->fingerprint : begin.fingerprint,
                   shaping(choices_ ? choices_->choices : begin.choices), state.layout,
                   choices_ ? choices_->index : begin.index};
    }
    if (begin.index != expected_->index) {
      mismatch(directory + " was embedded " + by(begin.index) + ", the others " +
               by(expected_->index));
    }
    require_same(directory, expected_->fingerprint, begin.fingerprint);
    require_same(directory, expected_->choices, shaping(begin.choices));
    // A column that an earlier version had not yet is 0 in all its rows.
    store::StoreLayout layout = state.layout;
    layout.later = expected_->layout.later;
    require_same(directory, store::to_json(expected_->layout), store::to_json(layout));
  }

  // The odd one out is named: what most saw is what they should have seen.
  void require_one_input() const {
    std::map<std::pair<std::uint64_t, std::string>, std::vector<const ShardOutput*>> seen;
    for (const ShardOutput& shard : set_.shards) {
      const DigestedPart& whole = shard.finish.whole;
      seen[{whole.records, to_hex(whole.digest.content)}].push_back(&shard);
    }
    if (seen.size() == 1) {
      return;
    }
    const auto fewer = [](const auto& a, const auto& b) {
      return a.second.size() < b.second.size();
    };
    const auto most = std::max_element(seen.begin(), seen.end(), fewer);
    const auto odd = std::min_element(seen.begin(), seen.end(), fewer) == most
                         ? std::next(seen.begin())
                         : std::min_element(seen.begin(), seen.end(), fewer);
    const ShardOutput& one = *odd->second.front();
    const ShardOutput& other = *most->second.front();
    const std::uint64_t records = one.finish.whole.records;
    mismatch(path(one.shard) + " was made from another input than " + in_words(other.shard) + ": " +
             (records != other.finish.whole.records ? format_count(records) + " records, not " +
                                                          format_count(other.finish.whole.records)
                                                    : "as many records, with other content"));
  }

  [[noreturn]] void say_what_is_missing() const {
    throw Error(ExitCode::kInterrupted,
                printable(output_, 400) + ": " + format_count(waiting_count_) + " of " +
                    format_count(count_) + " shards " + (waiting_count_ == 1 ? "is" : "are") +
                    " not there yet: " + join(waiting_, ", "),
                "give the command of each, then merge again");
  }

  // Records and digests of the parts add up to the whole's, and that is what was indexed.
  void require_all_of_it() const {
    if (expected_->index && (expected_->index->records != set_.whole().records ||
                             expected_->index->digest != set_.whole().digest.content)) {
      bad_data(path(set_.first().shard) + " does not hold what its index says of the input");
    }
    input::InputDigest sum;
    for (const ShardOutput& shard : set_.shards) {
      const std::uint64_t dealt = input::ShardBlocks(shard.shard.index, count_, set_.block())
                                      .count_of(set_.whole().records)
                                      .value();
      const std::uint64_t rows = shard.output.claims()->run.finish->at("rows");
      for (const std::uint64_t found :
           {shard.finish.own.records, shard.output.rows(), rows, shard.counters.records}) {
        if (found != dealt) {
          bad_data(path(shard.shard) + " holds " + format_count(found) + " records, and " +
                   format_count(dealt) + " of the " + format_count(set_.whole().records) +
                   " are dealt to it: a block is missing or there twice");
        }
      }
      sum.add(shard.finish.own.digest);
    }
    if (sum.value().content != set_.whole().digest.content) {
      bad_data("the records of the shards in " + printable(output_, 400) +
                   " do not add up to the input: a block is missing or there twice",
               "remove the folder shards and begin all of them anew");
    }
  }

  struct Expected {
    json fingerprint;
    json choices;
    store::StoreLayout layout;
    std::optional<IndexIdentity> index;
  };

  Files& files_;
  const std::string& output_;
  const std::map<std::uint64_t, std::string>& busy_;
  std::optional<ShardChoices> choices_;
  std::uint64_t count_ = 0;
  std::optional<Expected> expected_;
  ShardSet set_;
  std::vector<std::string> waiting_;
  std::uint64_t waiting_count_ = 0;
};

void require_there(const store::OutputReader& shard, const std::string& name) {
  if (!shard.has(name)) {
    bad_data(shard.path_of(name) + " is missing");
  }
}

void require_tables(Files& files, const store::OutputReader& shard) {
  store::Verification found;
  store::verify_tables(files, shard, found);
  if (!found.good()) {
    bad_data(found.findings.front().where + " " + found.findings.front().what);
  }
}

void require_report(Files& files, const store::OutputReader& shard) {
  if (!store::report_is_claimed(files, shard.path(), shard.claims()->run)) {
    bad_data(shard.path_of(store::store_files::kReport) +
             " is not what the shard wrote when it finished");
  }
}

}  // namespace

ShardSet read_shard_set(Files& files, const std::string& output,
                        const std::map<std::uint64_t, std::string>& busy) {
  return Reader(files, output, busy).read();
}

void require_shard_files(Files& files, const ShardSet& set,
                         const std::map<std::uint64_t, std::string>& claimed,
                         const std::function<void()>& each) {
  for (const ShardOutput& shard : set.shards) {
    each();
    const store::OutputReader& output = shard.output;
    for (const char* name : {store::store_files::kRecords, store::store_files::kRejects,
                             store::store_files::kReport, store::store_files::kChecksums}) {
      require_there(output, name);
    }
    require_tables(files, output);
    require_report(files, output);
    const auto claim = claimed.find(shard.shard.index);
    if (claim != claimed.end() && claim->second == shard.identity()) {
      continue;
    }
    for (const OutputSpec& array : output.layout().outputs) {
      require_there(output, store::array_file(array));
      if (array.kind == ArrayKind::kTokens) {
        require_there(output, store::offsets_file(array));
      }
    }
    store::require_shard_arrays(files, output, kMendShard);
  }
}

}  // namespace longhaul::session
