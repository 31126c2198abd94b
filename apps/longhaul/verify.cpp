// `longhaul verify`: is every row of an output there, finite where it should be, and unaltered; are
// the model and the input still those that made it; do rows embedded again come out the same.
#include "store/verify.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
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
#include "input/input_digest.hpp"
#include "input/selected_reader.hpp"
#include "number_checks.hpp"
#include "process_setup.hpp"
#include "registry.hpp"
#include "replay_paths.hpp"
#include "run_environment.hpp"
#include "session/auto_settings.hpp"
#include "session/encoder_options.hpp"
#include "session/fp32_fallback.hpp"
#include "session/image_match.hpp"
#include "session/recompute.hpp"
#include "session/run_begin.hpp"
#include "session/session_checks.hpp"
#include "store/output_reader.hpp"
#include "usable_threads.hpp"
#include "verify_report.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;

struct VerifyOptions {
  std::string output;
  std::uint64_t recompute = 0;
  std::optional<std::uint64_t> seed;
  bool json = false;
};

class VerifyCommand {
 public:
  VerifyCommand(VerifyOptions options, const std::map<std::string, std::string>& environment)
      : options_(std::move(options)),
        environment_(environment),
        threads_(usable_threads(environment).threads),
        files_(posix_files()),
        workshop_(make_workshop(make_backend())) {}

  ExitCode run() {
    read_report();
    store::VerifySettings settings;
    settings.empty_duplicates =
        state_ && state_->begin.at("fingerprint").value("skip-duplicates", "") == "dhash";
    settings.recompute_rows = options_.recompute;
    settings.seed = options_.seed ? *options_.seed : std::random_device{}();
    if (options_.recompute > 0) {
      require_report();
      settings.recompute = [this](std::span<const std::uint64_t> rows) { return embed(rows); };
    }
    found_.store = verify_store(*files_, options_.output, settings);
    found_.intact = found_.store.good();
    if (found_.store.finished && config_) {
      check_model();
      if (found_.input == AtHand::kNotAsked) {
        check_input();
      }
    }
    if (other_input_) {
      found_.store.add(other_input_->where, other_input_->what);
    }
    found_.output = options_.output;
    found_.recompute = options_.recompute > 0;
    found_.from_stream = config_ && from_stream();
    options_.json ? print_json(found_, std::cout) : print_text(found_, std::cout);
    require_good(found_);
    return ExitCode::kDone;
  }

 private:
  // run.json as the run left it; where it is damaged verify_store says so.
  void read_report() {
    std::string path;
    try {
      const store::OutputReader output(*files_, options_.output);
      if (output.claims()) {
        state_ = output.claims()->run;
      }
      report_ = output.run();
      path = output.path_of(store::store_files::kReport);
    } catch (const Error& error) {
      if (error.code() == ExitCode::kMismatch) {
        throw;
      }
      return;  // verify_store says it
    }
    if (!report_.is_object() || !report_.value("card", json()).is_object() ||
        !report_.value(json::json_pointer("/model/sha256"), json()).is_string()) {
      report_ = json::object();
      return;
    }
    try {
      const config::ResolvedConfig resolved = config::resolve_config({}, {}, report_, path);
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

  encode::ModelFile read_model() const {
    return workshop_.models.read_model(config_->model, config_->card, std::nullopt);
  }

  // On the machine that made them, rows that claim it are the same bits. Nothing where the model or
  // the input is another: that says nothing of the rows.
  std::optional<store::RecomputedRows> embed(std::span<const std::uint64_t> rows) {
    const encode::ModelFile model = read_model();
    if (model.sha256() != report_.at("model").at("sha256").get<std::string>()) {
      return std::nullopt;
    }
    std::vector<Record> records = read_input(model.card, rows);
    if (found_.input != AtHand::kMatches) {
      return std::nullopt;
    }
    encode::EncoderOptions options = session::encoder_options(*config_, model.card, threads_);
    const session::Choices choices = session::choices_from_json(state_->begin.at("choices"));
    options.choices = choices.encoder;
    options.device = choices.device;
    NullLog log;
    const std::unique_ptr<encode::Encoder> encoder =
        workshop_.models.make_encoder(model, options, log);
    const std::unique_ptr<prepare::Preprocessor> preprocessor =
        make_preprocessor(*config_, model.card, 1, {});
    found_.claims_bits = report_.value("bits", "numeric") == "exact";
    bool exact = found_.claims_bits && state_->begin.value("bits_machine", json(nullptr)) ==
                                           describe_bits_machine(encoder->device(), environment_);
    const session::Recipe recipe{*preprocessor,
                                 *encoder,
                                 session::fp32_fallback(workshop_, model, options, log),
                                 model.card,
                                 choices.rows_policy(),
                                 options.normalize};
    store::RecomputedRows again;
    for (Record& record : records) {
      session::RecordAgain once = session::embed_again(recipe, std::move(record));
      exact = exact && !once.reshaped;
      again.rows.push_back(std::move(once.outputs));
    }
    found_.exact = exact;
    again.tolerance = exact ? 0 : encode::contract_tolerance(encoder->report());
    return again;
  }

  void check_model() {
    if (!files_->exists(config_->model)) {
      found_.model = AtHand::kAbsent;
      return;
    }
    const std::string found = sha256_file(config_->model);
    const std::string recorded = report_.at("model").at("sha256");
    found_.model = found == recorded ? AtHand::kMatches : AtHand::kDiffers;
    if (found != recorded) {
      found_.store.add(config_->model,
                       "has SHA-256 " + found + "; the model of this run had " + recorded);
    }
  }

  bool from_stream() const {
    return std::any_of(
        config_->inputs.begin(), config_->inputs.end(),
        [](const std::string& input) { return input == "-" || std::filesystem::is_fifo(input); });
  }

  // What --recompute did not read.
  void check_input() {
    const bool at_hand = std::all_of(config_->inputs.begin(), config_->inputs.end(),
                                     [this](const auto& input) { return files_->exists(input); });
    if (from_stream() || !at_hand) {
      found_.input = AtHand::kAbsent;
      return;
    }
    encode::EncoderCard card;
    card.modality = report_.at("card").value("modality", "") == "image" ? Modality::kImage
                                                                        : Modality::kSequence;
    try {
      read_input(card, {});
    } catch (const Error& error) {
      unreadable(error);
    }
  }

  // Compares the input with that of the run, and takes these rows' records (ascending) out of it.
  std::vector<Record> read_input(const encode::EncoderCard& card,
                                 std::span<const std::uint64_t> rows) {
    std::vector<Record> taken;
    try {
      // Of a run that is not finished the part that it claims.
      const std::optional<store::Progress> end = session::end_of_input(*state_);
      const std::uint64_t expected = end ? end->input_records : 0;
      const std::uint64_t own = end ? end->window_start : 0;
      input::SelectedReader reader(
          make_reader(*config_, card, {}), session::selection_of(*state_),
          InputHash{.form = end ? end->input_hash.form : DigestForm::kSum});
      const input::InputPosition beginning = reader.position();
      for (std::uint64_t read = 0; state_->finish || read < own; ++read) {
        std::optional<Record> record = reader.next();
        if (!record) {
          break;
        }
        if (taken.size() < rows.size() && record->row == rows[taken.size()]) {
          taken.push_back(std::move(*record));
        }
      }
      const std::uint64_t records = reader.position().position;
      bool same = end && reader.position().digest == end->input_hash;
      if (!same && records == expected && !reader.sources_tell_all() && reader.seek(beginning)) {
        same = !session::first_other_image(reader, *files_, options_.output, own);
      }
      found_.input = same ? AtHand::kMatches : AtHand::kDiffers;
      if (!same) {
        other_input_ = {join(config_->inputs, ", "),
                        "is not the input of this run: it holds " + format_count(records) +
                            " records, " + format_count(expected) + " were embedded" +
                            (records == expected ? ", with other content" : "")};
      }
    } catch (const Error& error) {
      if (error.code() != ExitCode::kBadData) {
        throw;
      }
      unreadable(error);
    }
    return taken;
  }

  void unreadable(const Error& error) {
    found_.input = AtHand::kDiffers;
    other_input_ = {"the input", std::string("can no longer be read as it was: ") + error.what()};
  }

  VerifyOptions options_;
  const std::map<std::string, std::string>& environment_;
  const std::uint32_t threads_;
  std::unique_ptr<Files> files_;
  session::Workshop workshop_;
  json report_;
  std::optional<config::RunConfig> config_;
  std::optional<store::StoreState> state_;
  std::optional<store::Finding> other_input_;
  VerifyReport found_;
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
      ->type_name("N")
      ->check(whole_number());
  command->add_option("--seed", options->seed, "choice of the recomputed rows")
      ->type_name("N")
      ->check(whole_number());
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] {
      return VerifyCommand(*options, context.environment).run();
    };
  });
}

}  // namespace longhaul::app
