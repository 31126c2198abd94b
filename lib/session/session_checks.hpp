// What a session looks at before its work: whether settings fit the model, whether it can be
// recycled, what the sessions before it left in run.json. Free functions; one thread.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/log.hpp"
#include "config/run_config.hpp"
#include "encode/card.hpp"
#include "encode/contract.hpp"
#include "encode/encoder.hpp"
#include "input/digested_reader.hpp"
#include "input/selection.hpp"
#include "plan/memory_governor.hpp"
#include "run/pipeline.hpp"
#include "session/host.hpp"
#include "session/run_begin.hpp"
#include "store/embedding_store.hpp"

namespace longhaul::session {

enum class Division { kWhole, kShards };

// Throws Error(kUsage) for settings that do not go with the model, or not with the division: before
// anything is loaded, of a run and of a plan.
void require_fitting_settings(const config::RunConfig& config,
                              const encode::EncoderOptions& options,
                              const encode::EncoderCard& card, Division division);

// Throws Error(kUsage) for recycling of what is read from a stream, which is gone after an exec.
void require_recyclable(const config::RunConfig& config,
                        const std::vector<input::SourceIdentity>& sources);

// Throws Error(kMismatch) where an output is a shard of another and is taken for a whole one.
void require_no_shard(const std::optional<Shard>& shard, const std::string& output);

// Where a run stands in its input: of a finished shard at the input's end, of which its last commit
// may be short, without a cursor; else where the last commit says.
std::optional<store::Progress> end_of_input(const store::StoreState& state);
// The records that an output was embedded from.
std::unique_ptr<input::Selection> selection_of(const store::StoreState& state);

// Throws Error(kMismatch) where `reader`, at its beginning, gives other records than a complete run
// was made of, or more.
void require_same_end(input::DigestedReader& reader, const store::StoreState& state, Files& files,
                      const std::string& output, const std::function<bool()>& stop);

// Of a run that is complete: Error(kMismatch) when the input is another now. Files that are gone
// are no other input; a stream is read to its end. `divide` makes the run's reader of that of all
// records, where it is not one that reads all of them.
using Divide = std::function<std::unique_ptr<input::DigestedReader>(
    std::unique_ptr<input::RecordReader> whole)>;
void require_finished_input(config::RunConfig config, const encode::EncoderCard& card,
                            const store::StoreState& state, const std::string& output,
                            const Host& host, const Divide& divide = {});

// The sources whose SHA-256 run.json tells. Of images records.csv has a hash each, so only a list
// of them is read for it.
std::vector<input::SourceIdentity> files_to_hash(std::vector<input::SourceIdentity> sources,
                                                 const config::RunConfig& config,
                                                 const encode::EncoderCard& card);

// Tries on this machine, with this encoder, that vectors are their records' own; says what is not
// so. Throws Error(kBadData) for a model that is not fit (encode/contract.hpp).
encode::Contract require_contract(encode::Encoder& encoder, const encode::EncoderCard& card,
                                  const config::RunConfig& config,
                                  const run::PipelineSettings& pipeline,
                                  const plan::MemoryGovernor& governor, Log& log);

// Why the vectors of a session that ran as `begin` says may differ in their low bits from those of
// another, on `bits_machine` now (ProcessFacts); empty where they may not.
std::vector<std::string> numeric_reasons(const RunBegin& begin, const nlohmann::json& bits_machine,
                                         const encode::Contract& contract);

// run.json in a directory; an empty object when there is none, or, with a warning, a damaged one.
nlohmann::json previous_report(Files& files, const std::string& directory, Log& log);

}  // namespace longhaul::session
