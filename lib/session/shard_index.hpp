// The index that the shards of an output go by, OUT/index.jsonl, or that there is none: then each
// reads all of the input, and blocks of 64 records are dealt.
// One thread. Throws Error(kIo); kBadData for an index that is damaged; kMismatch where the shards
// in OUT do not go by this index, or the input is another than it is of.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/log.hpp"
#include "config/run_config.hpp"
#include "domain/shard.hpp"
#include "input/digested_reader.hpp"
#include "input/input_index.hpp"
#include "session/run_begin.hpp"

namespace longhaul::session {

// The settings that find and read an input, each as it is shown. The format is that of the files,
// whether it was given or seen in them.
std::map<std::string, std::string> reading_settings(
    const config::RunConfig& config, const std::vector<input::SourceIdentity>& sources);

// Throws Error(kMismatch) where the index was made with other settings, or of files of other sizes.
// `name` is the index's, for the message.
void require_same_reading(const input::IndexHeader& index,
                          const std::map<std::string, std::string>& settings,
                          const std::vector<input::SourceIdentity>& sources,
                          const std::string& name);

// How the shards of an output were begun: by an index, or without one.
struct BegunShards {
  std::optional<IndexIdentity> index;
};
// By choices.json, or, where it is lost, by their journals, of which one that is not damaged is
// enough. Nothing where none was begun.
std::optional<BegunShards> begun_shards(Files& files, const std::string& output);

std::vector<std::uint64_t> sizes_of(const std::vector<input::SourceIdentity>& sources);

std::string index_path(const std::string& output);
// Nothing where there is none.
std::optional<input::InputIndex> read_output_index(Files& files, const std::string& output);
IndexIdentity identity_of(const input::InputIndex& index);

class ShardIndex {
 public:
  ShardIndex() = default;
  ShardIndex(Files& files, const std::string& output);

  std::optional<IndexIdentity> identity() const;
  std::optional<std::vector<std::string>> sha256() const;
  // What the output, or a shard, was begun with.
  void require(const std::optional<IndexIdentity>& begun) const;
  // Of the records of a shard. It borrows this index.
  std::unique_ptr<input::DigestedReader> reader(std::unique_ptr<input::RecordReader> whole,
                                                const Shard& shard, const config::RunConfig& config,
                                                Log* log) const;

 private:
  std::string output_;
  std::optional<input::InputIndex> index_;
};

}  // namespace longhaul::session
