#include "session/session_checks.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "encode/outputs.hpp"
#include "session/run_identity.hpp"
#include "store/output_reader.hpp"

namespace longhaul::session {
namespace {

// Residues of a model that gives no vectors of them.
void require_residues(const encode::EncoderOptions& options, const encode::EncoderCard& card) {
  const bool image = card.modality == Modality::kImage;
  if (options.tokens &&
      (image || encode::chosen_outputs(card, options).front().kind != OutputKind::kTokens)) {
    throw Error(ExitCode::kUsage,
                std::string(options.pooling == Pooling::kNone ? "--pooling none" : "--tokens") +
                    " writes the vectors of residues, and this model " +
                    (image ? "reads images" : "gives one vector for each sequence"),
                "leave it out");
  }
}

// Windows of long records where vectors are no means of residues.
void require_windows(const config::RunConfig& config, const encode::EncoderOptions& options,
                     const encode::EncoderCard& card) {
  if (config.too_long != TooLong::kWindow) {
    return;
  }
  if (options.pooling != Pooling::kMean && options.pooling != Pooling::kNone) {
    throw Error(ExitCode::kUsage,
                "--too-long window takes each residue of a long record from one of its windows, "
                "and --pooling " +
                    std::string(to_string(options.pooling)) + " is no mean of residues",
                "use --pooling mean or none, or --too-long truncate or reject");
  }
  const std::vector<encode::CardOutput> outputs = encode::chosen_outputs(card, options);
  const bool image = card.modality == Modality::kImage;
  if (image || std::any_of(outputs.begin(), outputs.end(),
                           [](const auto& output) { return output.kind != OutputKind::kTokens; })) {
    throw Error(
        ExitCode::kUsage,
        std::string("--too-long window is made of the vectors of residues, and this model ") +
            (image ? "reads images" : "gives one vector for each sequence"),
        "leave it out");
  }
}

// A shard of what depends on records that share a batch: batches would cross the blocks that shards
// are dealt.
void require_divisible(const config::RunConfig& config, const encode::EncoderCard& card,
                       Pooling pooling) {
  const bool compat = pooling == Pooling::kMeanCompat;
  if (compat || (card.modality != Modality::kImage && config.order == Order::kInput)) {
    throw Error(ExitCode::kUsage,
                std::string("--shard, --processes and lists of devices do not go with ") +
                    (compat ? "--pooling mean-compat" : "--order input") +
                    ", whose batches would cross the blocks of records that are dealt to shards",
                "embed the whole input in one process, or leave that setting out");
  }
}

// Those that repeat others are not computed, so that batches of the input's order would be others.
void require_comparable(const config::RunConfig& config, const encode::EncoderCard& card) {
  if (config.skip_duplicates == SkipDuplicates::kOff || card.modality == Modality::kImage) {
    return;
  }
  if (config.skip_duplicates == SkipDuplicates::kDhash) {
    throw Error(ExitCode::kUsage, "--skip-duplicates dhash is for images",
                "use --skip-duplicates exact, or leave it out");
  }
  if (config.order == Order::kInput || config.pooling == Pooling::kMeanCompat) {
    throw Error(
        ExitCode::kUsage,
        "--skip-duplicates does not go with --order input, where a row depends on its batch",
        "use --order length, or leave out --skip-duplicates");
  }
}

void require_images(const config::RunConfig& config, const encode::EncoderCard& card) {
  if (config.fast_decode && card.modality != Modality::kImage) {
    throw Error(ExitCode::kUsage,
                "--fast-decode is about JPEG files, and this model reads sequences",
                "leave it out");
  }
}

}  // namespace

void require_fitting_settings(const config::RunConfig& config,
                              const encode::EncoderOptions& options,
                              const encode::EncoderCard& card, Division division) {
  require_residues(options, card);
  require_windows(config, options, card);
  if (division == Division::kShards) {
    require_divisible(config, card, options.pooling);
  }
  require_comparable(config, card);
  require_images(config, card);
}

void require_recyclable(const config::RunConfig& config,
                        const std::vector<input::SourceIdentity>& sources) {
  const bool asked = config.recycle_every || config.on_leak == OnLeak::kRecycle;
  if (asked && !input::are_files(sources)) {
    throw Error(ExitCode::kUsage, "--recycle-every and --on-leak recycle need files, not a stream",
                "write the stream to a file first");
  }
}

void require_no_shard(const std::optional<Shard>& shard, const std::string& output) {
  if (shard) {
    throw Error(
        ExitCode::kMismatch,
        printable(output, 400) + " is " + in_words(*shard) + " of another output",
        "name that output, and give --shard " + to_string(*shard) + " to go on with this part");
  }
}

std::optional<store::Progress> end_of_input(const store::StoreState& state) {
  if (!state.finish || !state.finish->contains("whole")) {
    return state.progress;
  }
  const ShardFinish finish = shard_finish_from_json(*state.finish);
  store::Progress end;
  end.window_start = finish.own.records;
  end.input_records = finish.whole.records;
  end.input_hash = finish.whole.digest;
  return end;
}

std::unique_ptr<input::Selection> selection_of(const store::StoreState& state) {
  const RunBegin begin = run_begin_from_json(state.begin);
  if (const std::optional<Shard>& shard = begin.shard) {
    return std::make_unique<input::ShardBlocks>(shard->index, shard->count,
                                                dealt_block(begin.index));
  }
  return std::make_unique<input::AllRecords>();
}

void require_same_end(input::DigestedReader& reader, const store::StoreState& state, Files& files,
                      const std::string& output, const std::function<bool()>& stop) {
  const std::optional<store::Progress> end = end_of_input(state);
  if (!end) {
    return;
  }
  const nlohmann::json recorded = recorded_sources(state);
  InputMatch match = compare_input(recorded, reader);
  if (match == InputMatch::kUnchanged && recorded.size() == reader.sources().size()) {
    return;
  }
  if (end->cursor.empty()) {
    match = InputMatch::kReadAgain;
  }
  find_position(reader, match, *end, files, output, stop);
  require_no_more(reader, output);
}

void require_finished_input(config::RunConfig config, const encode::EncoderCard& card,
                            const store::StoreState& state, const std::string& output,
                            const Host& host, const Divide& divide) {
  const std::optional<store::Progress> end = end_of_input(state);
  if (!end) {
    return;
  }
  config.allow_nucleotides = true;  // that was judged when it was embedded
  std::unique_ptr<input::DigestedReader> reader;
  try {
    auto whole = host.workshop.make_reader(config, card, host.stop, nullptr);
    reader = divide ? divide(std::move(whole))
                    : std::make_unique<input::SelectedReader>(
                          std::move(whole), selection_of(state),
                          input::InputDigest::in_form_of(end->input_hash).value());
  } catch (const Error& error) {
    if (error.code() == ExitCode::kBadData) {
      throw other_input(output, error.what());
    }
    if (error.code() != ExitCode::kIo && error.code() != ExitCode::kUnavailable) {
      throw;
    }
    host.log.info(std::string("the input is not at hand: ") + error.what());
    return;
  }
  require_same_end(*reader, state, host.files, output, host.stop);
}

encode::Contract require_contract(encode::Encoder& encoder, const encode::EncoderCard& card,
                                  const config::RunConfig& config,
                                  const run::PipelineSettings& pipeline,
                                  const plan::MemoryGovernor& governor, Log& log) {
  constexpr std::uint32_t kUsualWidth = 128;
  const encode::Contract contract =
      check_contract(encoder, card,
                     {.parts = pipeline.parts,
                      .group_rows = pipeline.window.order.group_rows,
                      .tolerance = encode::contract_tolerance(encoder.report()),
                      .budget = governor.budget(kUsualWidth),
                      .allow_batch_dependent = config.allow_batch_dependent});
  for (const std::string& warning : contract.warnings) {
    log.warning(warning);
  }
  return contract;
}

std::vector<std::string> numeric_reasons(const RunBegin& begin, const nlohmann::json& bits_machine,
                                         const encode::Contract& contract) {
  std::vector<std::string> reasons;
  if (begin.choices.group_rows) {
    reasons.emplace_back("--order input: a record is computed in the shape of its batch");
  }
  if (!contract.exact) {
    reasons.push_back("the model's contract: " + contract.report.at("verdict").get<std::string>());
  }
  const std::string rows_of = "rows of ";
  for (const ReusedOutput& output : begin.reuse) {
    for (const std::string& reason : output.bits_reasons) {
      // One that was taken from an older output there is of the same rows.
      std::string text =
          reason.starts_with(rows_of) ? reason : rows_of + output.path + ": " + reason;
      if (std::find(reasons.begin(), reasons.end(), text) == reasons.end()) {
        reasons.push_back(std::move(text));
      }
    }
  }
  if (begin.bits_machine != bits_machine) {
    reasons.push_back("sessions on unlike machines, binaries or settings of libraries: " +
                      begin.bits_machine.dump() + " and " + bits_machine.dump());
  }
  return reasons;
}

std::vector<input::SourceIdentity> files_to_hash(std::vector<input::SourceIdentity> sources,
                                                 const config::RunConfig& config,
                                                 const encode::EncoderCard& card) {
  for (input::SourceIdentity& source : sources) {
    source.regular =
        source.regular && (card.modality != Modality::kImage || source.path == config.files_from);
  }
  return sources;
}

nlohmann::json previous_report(Files& files, const std::string& directory, Log& log) {
  const std::string path = directory + "/" + store::store_files::kReport;
  if (!files.exists(path)) {
    return nlohmann::json::object();
  }
  nlohmann::json previous = store::read_report(files, directory);
  if (!previous.value("sessions", nlohmann::json()).is_array() ||
      !previous.value("bits", nlohmann::json()).is_string()) {
    log.warning(path + " is damaged: it is written anew, without the sessions so far");
    return nlohmann::json::object();
  }
  return previous;
}

}  // namespace longhaul::session
