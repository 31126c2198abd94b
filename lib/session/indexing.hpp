// `longhaul plan --index`: reads an input once and leaves OUT/index.jsonl, by which shards read
// their own stretches alone. Written aside and renamed: whoever looks sees a whole index or none.
// One thread. Throws Error: kUsage for a stream; kMismatch where OUT holds something else, shards
// that do not go by this index, or an index of another input; kInterrupted; kIo.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/files.hpp"
#include "base/log.hpp"
#include "config/run_config.hpp"
#include "encode/card.hpp"
#include "input/input_index.hpp"
#include "session/workshop.hpp"

namespace longhaul::session {

struct IndexingHost {
  Files& files;
  Log& log;
  const Workshop& workshop;
  std::string lock_holder;
  std::function<bool()> stop;
  std::function<void(std::uint64_t records)> progress;  // none: nobody looks
};

// The index that is there afterwards; one that was there and is of this input is left as it is,
// unless `config.overwrite`. `stretch`: records, but in tests the usual number.
input::InputIndex index_input(const config::RunConfig& config, const encode::EncoderCard& card,
                              const IndexingHost& host,
                              std::uint64_t stretch = input::IndexHeader::kStretch);

// What it holds: records, stretches, digest, cost.
nlohmann::ordered_json summary_of(const input::InputIndex& index);
// In words: "25,007 records in 7 stretches of 4,096, 2,904,112 residues or bytes".
std::string in_words(const input::InputIndex& index);

}  // namespace longhaul::session
