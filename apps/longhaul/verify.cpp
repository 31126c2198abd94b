// `longhaul verify`: is every row of an output there, finite where it should be, and unaltered; are
// the model and the input still those that made it; do rows embedded again come out the same.
#include "store/verify.hpp"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <utility>

#include "backend.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "command.hpp"
#include "config/run_config.hpp"
#include "encode/contract.hpp"
#include "image_match.hpp"
#include "input/record_reader.hpp"
#include "plan/window.hpp"
#include "process_setup.hpp"
#include "registry.hpp"
#include "replay_paths.hpp"
#include "run_choices.hpp"
#include "run_environment.hpp"
#include "usable_threads.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;

struct VerifyOptions {
  std::string output;
  std::uint64_t recompute = 0;
  std::optional<std::uint64_t> seed;
  bool json = false;
};

// What is outside the directory: it may have gone, which is said and is no fault.
enum class AtHand { kMatches, kAbsent, kDiffers, kNotAsked };

std::string_view to_string(AtHand found) {
  switch (found) {
    case AtHand::kMatches:
      return "matches";
    case AtHand::kAbsent:
      return "not at hand";
    case AtHand::kDiffers:
      return "differs";
    case AtHand::kNotAsked:
      break;
  }
  return "not checked";
}

class VerifyCommand {
 public:
  VerifyCommand(VerifyOptions options, std::uint32_t threads)
      : options_(std::move(options)),
        threads_(threads),
        files_(posix_files()),
        backend_(make_backend()) {}

  ExitCode run() {
    read_report();
    VerifySettings settings;
    settings.empty_duplicates =
        state_ && state_->begin.at("fingerprint").value("skip-duplicates", "") == "dhash";
    settings.recompute_rows = options_.recompute;
    settings.seed = options_.seed ? *options_.seed : std::random_device{}();
    if (options_.recompute > 0) {
      require_report();
      settings.recompute = [this](std::span<const std::uint64_t> rows) { return embed(rows); };
    }
    result_ = verify_store(*files_, options_.output, settings);
    if (result_.finished && config_) {
      check_model();
      check_input();
    }
    return options_.json ? print_json() : print_text();
  }

 private:
  // run.json as the run left it; where it is damaged verify_store says so.
  void read_report() {
    try {
      state_ = read_store(*files_, options_.output);
    } catch (const Error&) {
      return;  // verify_store says it
    }
    const std::string path = options_.output + "/" + store_files::kReport;
    if (files_->kind(options_.output) != PathKind::kDirectory || !files_->exists(path)) {
      return;
    }
    report_ = json::parse(read_text(*files_, path), nullptr, false);
    if (!report_.is_object() || !report_.value("card", json()).is_object() ||
        !report_.value(json::json_pointer("/model/sha256"), json()).is_string()) {
      report_ = json::object();
      return;
    }
    try {
      const ResolvedConfig resolved = resolve_config({}, {}, report_, path);
      config_ = resolved.config;
      if (resolved.recorded_directory != working_directory()) {
        options_.output = std::filesystem::absolute(options_.output).string();
        enter_directory_if_there(resolved);
      }
    } catch (const Error&) {
      config_.reset();
    }
  }

  void require_report() const {
    if (!config_ || config_->model.empty() || !state_) {
      throw Error(ExitCode::kBadData,
                  "--recompute needs the settings in " + options_.output + "/run.json",
                  "verify without --recompute to see what is wrong");
    }
    if (state_->begin.at("fingerprint").at("pooling") == "mean-compat") {
      throw Error(ExitCode::kUsage,
                  "--recompute embeds records alone, and mean-compat depends on their batch",
                  "verify without --recompute");
    }
  }

  ModelFile read_model() const {
    return backend_.read_model(config_->model, config_->card, std::nullopt);
  }

  // On the machine that made them, rows that claim it are the same bits.
  RecomputedRows embed(std::span<const std::uint64_t> rows) {
    const ModelFile model = read_model();
    EncoderOptions options = encoder_options(*config_, model.card, threads_);
    const json& choices = state_->begin.at("choices");
    options.choices = choices.at("encoder");
    options.device = choices.at("device").get<std::string>();
    NullLog log;
    const std::unique_ptr<Encoder> encoder = backend_.make_encoder(model, options, log);
    const std::unique_ptr<Preprocessor> preprocessor =
        make_preprocessor(*config_, model.card, 1, {});
    const Alone alone{*preprocessor, *encoder, model.card, choices};
    exact_ = report_.value("bits", "numeric") == "exact" &&
             state_->begin.value("bits_machine", json(nullptr)) ==
                 describe_bits_machine(encoder->device());
    RecomputedRows again;
    again.tolerance = exact_ ? 0 : contract_tolerance(encoder->report());
    std::vector<std::vector<float>>& vectors = again.vectors;
    const std::unique_ptr<RecordReader> reader = make_reader(*config_, model.card, {});
    while (vectors.size() < rows.size()) {
      std::optional<Record> record = reader->next();
      if (!record) {
        throw Error(ExitCode::kMismatch,
                    "the input ends before record " + std::to_string(rows[vectors.size()]),
                    "restore the input");
      }
      if (record->ordinal == rows[vectors.size()]) {
        vectors.push_back(embed_alone(alone, std::move(*record)));
      }
    }
    return again;
  }

  // What embedding one record takes.
  struct Alone {
    const Preprocessor& preprocessor;
    Encoder& encoder;
    const EncoderCard& card;
    const json& choices;
  };

  static std::vector<float> embed_alone(const Alone& alone, Record record) {
    Prepared prepared = alone.preprocessor.measure(std::move(record));
    if (prepared.defect) {
      return {};
    }
    const bool image = alone.card.modality == Modality::kImage;
    const std::uint32_t width = image ? 1 : rung_of(prepared.tokens, alone.card.max_tokens);
    Prepared* const one = &prepared;
    // The rows that its part had, filled up with dummies.
    const Assembled assembled =
        alone.preprocessor.assemble({&one, 1}, width, rows_policy(alone.choices).rows(width));
    return assembled.rejected.empty() ? alone.encoder.encode(assembled.batch).values
                                      : std::vector<float>{};
  }

  void check_model() {
    if (!files_->exists(config_->model)) {
      model_ = AtHand::kAbsent;
      return;
    }
    const std::string found = sha256_file(config_->model);
    const std::string recorded = report_.at("model").at("sha256");
    model_ = found == recorded ? AtHand::kMatches : AtHand::kDiffers;
    if (found != recorded) {
      result_.add(config_->model,
                  "has SHA-256 " + found + "; the model of this run had " + recorded);
    }
  }

  void check_input() {
    for (const std::string& input : config_->inputs) {
      if (input == "-" || !files_->exists(input)) {
        input_ = AtHand::kAbsent;
        return;
      }
    }
    EncoderCard card;
    card.modality = report_.at("card").value("modality", "") == "image" ? Modality::kImage
                                                                        : Modality::kSequence;
    bool same = false;
    std::uint64_t records = 0;
    try {
      const std::unique_ptr<RecordReader> reader = make_reader(*config_, card, {});
      const InputPosition beginning = reader->position();
      InputDigest digest;
      while (const std::optional<Record> record = reader->next()) {
        digest.add(*record);
        ++records;
      }
      same = state_->progress && digest.value() == state_->progress->input_hash;
      if (!same && records == result_.rows && !reader->sources_tell_all() &&
          reader->seek(beginning)) {
        same = !first_other_image(*reader, *files_, options_.output, records);
      }
    } catch (const Error& error) {
      input_ = AtHand::kDiffers;
      result_.add("the input", std::string("can no longer be read as it was: ") + error.what());
      return;
    }
    input_ = same ? AtHand::kMatches : AtHand::kDiffers;
    if (!same) {
      result_.add(join(config_->inputs, ", "),
                  "is not the input of this run: it holds " + format_count(records) + " records, " +
                      format_count(result_.rows) + " were embedded" +
                      (records == result_.rows ? ", with other content" : ""));
    }
  }

  ExitCode print_json() const {
    json findings = json::array();
    for (const Finding& finding : result_.findings) {
      findings.push_back({{"where", printable(finding.where, 4096)}, {"what", finding.what}});
    }
    json out = {{"output", printable(options_.output, 4096)},
                {"good", result_.good()},
                {"finished", result_.finished},
                {"committed", result_.committed},
                {"rows", result_.rows},
                {"ok", result_.ok},
                {"rejected", result_.rejected},
                {"duplicates", result_.duplicates},
                {"model", to_string(model_)},
                {"input", to_string(input_)},
                {"findings", std::move(findings)},
                {"finding_count", result_.finding_count}};
    if (options_.recompute > 0) {
      out["recomputed"] = {{"rows", result_.recomputed},
                           {"equal", result_.recomputed_equal},
                           {"greatest_difference", result_.greatest_difference},
                           {"asked", exact_ ? "same bits" : "within tolerance"},
                           {"tolerance", result_.tolerance}};
    }
    std::cout << out.dump() << '\n';
    return verdict();
  }

  ExitCode print_text() const {
    for (const Finding& finding : result_.findings) {
      std::cout << printable(finding.where, 4096) << ": " << finding.what << '\n';
    }
    if (result_.finding_count > result_.findings.size()) {
      std::cout << "... and " << format_count(result_.finding_count - result_.findings.size())
                << " more\n";
    }
    std::cout << options_.output << ": " << format_count(result_.rows) << " rows, "
              << format_count(result_.ok) << " ok, " << format_count(result_.rejected)
              << " rejected, " << format_count(result_.duplicates) << " duplicates; model "
              << to_string(model_) << ", input " << to_string(input_) << '\n';
    if (options_.recompute > 0) {
      std::cout << "recomputed " << format_count(result_.recomputed)
                << " rows: " << format_count(result_.recomputed_equal)
                << " the same bits, greatest difference "
                << short_number(result_.greatest_difference) << "; asked for: "
                << (exact_ ? std::string("the same bits, on the machine that made them")
                           : "within " + short_number(result_.tolerance) + ", since " + why_not())
                << '\n';
    }
    return verdict();
  }

  std::string why_not() const {
    return report_.value("bits", "numeric") == "exact" ? "this is another machine or binary"
                                                       : "the output is marked as numeric";
  }

  ExitCode verdict() const {
    if (!result_.good()) {
      const Finding& first = result_.findings.front();
      throw Error(
          ExitCode::kBadData,
          options_.output + " does not verify: " + format_count(result_.finding_count) +
              (result_.finding_count == 1 ? " problem: " : " problems, the first: ") +
              printable(first.where, 400) + ": " + first.what,
          result_.finished ? "restore the files from a copy, or embed again with --overwrite" : "");
    }
    return ExitCode::kDone;
  }

  VerifyOptions options_;
  const std::uint32_t threads_;
  std::unique_ptr<Files> files_;
  Backend backend_;
  json report_;
  std::optional<RunConfig> config_;
  std::optional<StoreState> state_;
  Verification result_;
  bool exact_ = false;  // recomputed rows must be the same bits
  AtHand model_ = AtHand::kNotAsked;
  AtHand input_ = AtHand::kNotAsked;
};

}  // namespace

void add_verify(CLI::App& app, Context& context) {
  const auto options = std::make_shared<VerifyOptions>();  // owned by the parser's callback
  CLI::App* command =
      app.add_subcommand("verify", "Check that every row of an output is there and unaltered");
  command->add_option("OUT", options->output, "output directory of `longhaul embed`")->required();
  command
      ->add_option("--recompute", options->recompute,
                   "embed N random rows again, each alone, and compare")
      ->type_name("N");
  command->add_option("--seed", options->seed, "choice of the recomputed rows")->type_name("N");
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] {
      return VerifyCommand(*options, usable_threads(context.environment).threads).run();
    };
  });
}

}  // namespace longhaul::app
