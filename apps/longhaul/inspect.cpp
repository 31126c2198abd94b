// `longhaul inspect`: what a model expects, or what a run's directory holds.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "backend.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "command.hpp"
#include "encode/model_kind.hpp"
#include "inspect_run.hpp"
#include "inspect_shards.hpp"
#include "store/store_layout.hpp"
#include "terminal_text.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;

struct InspectOptions {
  std::string path;
  std::optional<std::string> card;
  bool draft = false;
  bool json = false;
};

std::string input_list(const encode::EncoderCard& card) {
  std::vector<std::string> inputs;
  for (const encode::CardInput& input : card.inputs) {
    inputs.push_back(std::string(to_string(input.kind)) + " (" + input.dtype + ")");
  }
  return join(inputs, ", ");
}

// "33: tokens, 1280 dimensions, part 2, the default"; of a card of version 1 "tokens, part 2".
std::string output_text(const encode::CardOutput& output) {
  std::string text(to_string(output.kind));
  if (!output.name.empty()) {
    text = output.name + ": " + text + ", " + std::to_string(output.dimension) + " dimensions";
  }
  if (output.key) {
    text += ", part " + in_words(*output.key);
  }
  return text + (!output.name.empty() && output.is_default ? ", the default" : "");
}

std::string length_text(const encode::EncoderCard& card) {
  const encode::Alphabet& alphabet = card.alphabet;
  const auto token = [&](const std::optional<std::int64_t>& number) {
    return number ? alphabet.tokens[static_cast<std::size_t>(*number)] : std::string("nothing");
  };
  return (card.max_tokens ? format_count(*card.max_tokens) + " tokens at most"
                          : std::string("tokens without limit")) +
         ", " + token(alphabet.prepend) + " before and " + token(alphabet.append) + " after";
}

std::string alphabet_text(const encode::Alphabet& alphabet) {
  std::string text =
      alphabet.allowed + " (of " + std::to_string(alphabet.tokens.size()) + " tokens)";
  for (const auto& [letter, other] : alphabet.replace) {
    text += std::string(", ") + letter + " read as " + other;
  }
  return text;
}

json model_json(const encode::ModelFile& model, const json& module) {
  json card = model.card.text;
  return {{"path", model.path},
          {"sha256", model.sha256()},
          {"bytes", std::filesystem::file_size(model.path)},
          {"card_source", model.card_source},
          {"card", std::move(card)},
          {"golden_vectors", model.card.golden.size()},
          {"module", module}};
}

void print_model(const encode::ModelFile& model, const json& module, std::size_t columns) {
  const auto print_row = [columns](const std::string& name, const std::string& value) {
    std::cout << named_line(name, value, columns);
  };
  const encode::EncoderCard& card = model.card;
  print_row("model",
            model.path + " (" + format_bytes(std::filesystem::file_size(model.path)) + ")");
  print_row("sha256", model.sha256());
  print_row("card", model.card_source);
  print_row("name", card.name);
  print_row("method", card.method);
  print_row("inputs", input_list(card));
  for (const encode::CardOutput& output : card.outputs) {
    print_row("output", output_text(output));
  }
  if (card.outputs.front().name.empty()) {
    print_row("dimension", std::to_string(card.outputs.front().dimension));
  }
  if (card.modality == Modality::kSequence) {
    print_row("length", length_text(card));
    print_row("alphabet", alphabet_text(card.alphabet));
  } else {
    const json& image = card.text.at("image");
    print_row("image", in_words(image));
  }
  print_row("pooling", std::string(to_string(card.pooling)) + ", normalize " +
                           std::string(to_string(card.normalize)));
  print_row("golden", card.golden.empty() ? "none: the numbers cannot be checked"
                                          : std::to_string(card.golden.size()) + " vectors");
  if (module.is_object()) {
    print_row("parameters", format_count(module.at("parameters").get<std::uint64_t>()) + " (" +
                                in_words(module.at("types")) + ")");
    print_row("signature", in_words(module.at("inputs")));
  }
  if (!card.source.is_null()) {
    print_row("source", in_words(card.source));
  }
}

ExitCode inspect_model(const InspectOptions& options, std::size_t columns) {
  const Backend backend = make_backend();
  const encode::ModelFile model =
      backend.models.read_model(options.path, options.card, std::nullopt);
  const json module = backend.describe_module
                          ? backend.describe_module(options.path, model.card.method)
                          : json(nullptr);
  if (options.json) {
    std::cout << model_json(model, module).dump() << '\n';
  } else {
    print_model(model, module, columns);
  }
  return ExitCode::kDone;
}

ExitCode print_draft(const InspectOptions& options) {
  const Backend backend = make_backend();
  if (!backend.draft_card) {
    throw Error(ExitCode::kUnavailable, "this build cannot try a module",
                "use a build with LibTorch");
  }
  std::cout << backend.draft_card(options.path).dump(2) << '\n';
  std::cerr << "a draft: fill in every null (tokens in the order of the model's "
               "vocabulary, mean and std as it was trained), then save it as "
            << options.path << ".json\n";
  return ExitCode::kDone;
}

ExitCode inspect(const InspectOptions& options, std::size_t columns) {
  if (std::filesystem::is_directory(options.path)) {
    const std::filesystem::path folder(options.path);
    if (!options.draft && !options.card && holds_shards(options.path)) {
      return inspect_shards(options.path, options.json, columns);
    }
    // The lock is all there is while a run loads its model.
    if (!std::filesystem::exists(folder / store::store_files::kReport) &&
        !std::filesystem::exists(folder / store::store_files::kJournal) &&
        !std::filesystem::exists(folder / store::store_files::kLock)) {
      encode::require_archive(options.path);
    }
    if (options.draft || options.card) {
      throw Error(ExitCode::kUsage, options.path + " is a directory, not a model",
                  "--draft-card and --card go with a model file");
    }
    return inspect_run(options.path, options.json, columns);
  }
  return options.draft ? print_draft(options) : inspect_model(options, columns);
}

}  // namespace

void add_inspect(CLI::App& app, Context& context) {
  const auto options = std::make_shared<InspectOptions>();  // owned by the parser's callback
  CLI::App* command =
      app.add_subcommand("inspect", "What a model expects; what an output directory holds");
  command->add_option("MODEL|OUT", options->path, "a TorchScript archive, or an output directory")
      ->required();
  command->add_option("--card", options->card, "read the model's card from this file");
  command->add_flag("--draft-card", options->draft,
                    "try the model and print a card to complete; runs the model's code");
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] {
      return inspect(*options, stdout_columns(context.environment));
    };
  });
}

}  // namespace longhaul::app
