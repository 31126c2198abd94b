// The first line of a run's journal: what was decided for all of its sessions; and what a shard's
// last line adds.
// Values; any thread. Reading throws nlohmann::json::exception for what is not there.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "domain/input_hash.hpp"
#include "domain/numbers.hpp"
#include "domain/shard.hpp"
#include "plan/rows_policy.hpp"

namespace longhaul::session {

// Every choice that the first session made, where a setting left it open. One of the last four is
// given: what is computed together, and so the bits.
struct Choices {
  std::uint32_t window = 0;  // records
  Order order = Order::kLength;
  std::string device;  // cpu, cuda, cuda:1, mps
  std::uint32_t threads = 1;
  nlohmann::json encoder;                    // Encoder::choices()
  std::optional<std::uint32_t> part_images;  // rows of a part
  std::optional<std::uint32_t> group_rows;   // of a batch of --order input
  std::optional<std::uint64_t> part_tokens;  // tokens of a part
  plan::Rungs rungs = plan::Rungs::kEights;  // of such parts
  std::optional<std::uint32_t> part_rows;    // where the encoder fixes them

  plan::RowsPolicy rows_policy() const;
};
nlohmann::json to_json(const Choices& choices);
Choices choices_from_json(const nlohmann::json& json);

// A retry's: of which state of the output, with which of the settings that it may change.
struct RetryBegin {
  std::uint64_t after = 0;  // retries that were merged before
  nlohmann::json settings;
  friend bool operator==(const RetryBegin&, const RetryBegin&) = default;
};

// The index that an input was divided by: its stretches are what shards are dealt.
struct IndexIdentity {
  std::uint64_t stretch = 0;  // records
  std::uint64_t records = 0;  // of the whole input
  Hash128 digest;
  friend bool operator==(const IndexIdentity&, const IndexIdentity&) = default;
};
nlohmann::json to_json(const IndexIdentity& index);
IndexIdentity index_identity_from_json(const nlohmann::json& json);

// An older output whose rows a run takes, as it was when the run began.
struct ReusedOutput {
  std::string path;
  std::string state;                      // tells it from every other: the end of its journal
  std::vector<std::string> bits_reasons;  // why its low bits may differ; none: they do not
};

// Consecutive records that are dealt to one shard.
std::uint64_t dealt_block(const std::optional<IndexIdentity>& index);

struct RunBegin {
  std::string created;  // UTC
  nlohmann::json versions;
  nlohmann::json fingerprint;  // run_identity.hpp
  Choices choices;
  nlohmann::json inputs;  // describe_sources()
  std::vector<std::string> kept_columns;
  nlohmann::json machine;
  nlohmann::json bits_machine;  // null in a run of before it was recorded
  std::optional<RetryBegin> retry;
  std::optional<Shard> shard;
  std::optional<IndexIdentity> index;  // of a shard that goes by one
  std::uint64_t generation = 1;        // how often the output was made, by --update after the first
  std::vector<ReusedOutput> reuse;     // in the order in which rows are looked for there
};
nlohmann::json to_json(const RunBegin& begin);
RunBegin run_begin_from_json(const nlohmann::json& json);

// What the last line of a shard's journal adds: what it read and what of it was its own. Merging
// proves by them that all shards saw one input, and that together they hold all of it.
struct DigestedPart {
  std::uint64_t records = 0;
  InputHash digest;
  friend bool operator==(const DigestedPart&, const DigestedPart&) = default;
};
struct ShardFinish {
  DigestedPart whole;
  DigestedPart own;
};
nlohmann::json to_json(const ShardFinish& finish);
ShardFinish shard_finish_from_json(const nlohmann::json& line);

}  // namespace longhaul::session
