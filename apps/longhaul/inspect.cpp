// `longhaul inspect`: what a model expects, or what a run's directory holds.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "backend.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "command.hpp"
#include "input/left_out.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;

struct InspectOptions {
  std::string path;
  std::optional<std::string> card;
  bool draft = false;
  bool json = false;
};

void print_row(const std::string& name, const std::string& value) {
  constexpr std::size_t kNameWidth = 14;
  std::cout << name << std::string(name.size() < kNameWidth ? kNameWidth - name.size() : 1, ' ')
            << value << '\n';
}

// A value of a report on one line; strings without their quotes.
std::string text_of(const json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  return value.is_null() ? "-" : value.dump();
}

std::string input_list(const EncoderCard& card) {
  std::vector<std::string> inputs;
  for (const CardInput& input : card.inputs) {
    inputs.push_back(std::string(to_string(input.kind)) + " (" + input.dtype + ")");
  }
  return join(inputs, ", ");
}

std::string output_text(const EncoderCard& card) {
  std::string text(to_string(card.output));
  if (card.output_key) {
    text += ", part " + text_of(*card.output_key);
  }
  return text;
}

std::string length_text(const EncoderCard& card) {
  const Alphabet& alphabet = card.alphabet;
  const auto token = [&](const std::optional<std::int64_t>& number) {
    return number ? alphabet.tokens[static_cast<std::size_t>(*number)] : std::string("nothing");
  };
  return (card.max_tokens ? format_count(*card.max_tokens) + " tokens at most"
                          : std::string("tokens without limit")) +
         ", " + token(alphabet.prepend) + " before and " + token(alphabet.append) + " after";
}

json model_json(const ModelFile& model, const json& module) {
  json card = model.card.text;
  return {{"path", model.path},
          {"sha256", model.sha256()},
          {"bytes", std::filesystem::file_size(model.path)},
          {"card_source", model.card_source},
          {"card", std::move(card)},
          {"golden_vectors", model.card.golden.size()},
          {"module", module}};
}

void print_model(const ModelFile& model, const json& module) {
  const EncoderCard& card = model.card;
  print_row("model",
            model.path + " (" + format_bytes(std::filesystem::file_size(model.path)) + ")");
  print_row("sha256", model.sha256());
  print_row("card", model.card_source);
  print_row("name", card.name);
  print_row("method", card.method);
  print_row("inputs", input_list(card));
  print_row("output", output_text(card));
  print_row("dimension", std::to_string(card.dimension));
  if (card.modality == Modality::kSequence) {
    print_row("length", length_text(card));
    print_row("alphabet", card.alphabet.allowed + " (of " +
                              std::to_string(card.alphabet.tokens.size()) + " tokens)");
  } else {
    const json& image = card.text.at("image");
    print_row("image", image.dump());
  }
  print_row("pooling", std::string(to_string(card.pooling)) + ", normalize " +
                           std::string(to_string(card.normalize)));
  print_row("golden", card.golden.empty() ? "none: the numbers cannot be checked"
                                          : std::to_string(card.golden.size()) + " vectors");
  if (module.is_object()) {
    print_row("parameters", format_count(module.at("parameters").get<std::uint64_t>()) + " (" +
                                text_of(module.at("types")) + ")");
    print_row("signature", text_of(module.at("inputs")));
  }
  if (!card.source.is_null()) {
    print_row("source", text_of(card.source));
  }
}

ExitCode inspect_model(const InspectOptions& options) {
  const Backend backend = make_backend();
  const ModelFile model = backend.read_model(options.path, options.card, std::nullopt);
  const json module = backend.describe_module
                          ? backend.describe_module(options.path, model.card.method)
                          : json(nullptr);
  if (options.json) {
    std::cout << model_json(model, module).dump() << '\n';
  } else {
    print_model(model, module);
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
  std::cerr << "longhaul: a draft; fill in every null (tokens in the order of the model's "
               "vocabulary, mean and std as it was trained), then save it as "
            << options.path << ".json\n";
  return ExitCode::kDone;
}

json read_report(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    throw Error(ExitCode::kBadData, path + ": not there, so this is no output of longhaul",
                "give a model file or an output directory");
  }
  json report = json::parse(file, nullptr, false);
  if (!report.is_object()) {
    throw Error(ExitCode::kBadData, path + ": not a run's report",
                "longhaul verify says what is damaged");
  }
  return report;
}

// "exact, tried in 8 x 128 and 128 x 8": what check_contract() found.
std::string contract_text(const json& contract) {
  std::vector<std::string> shapes;
  for (const json& shape : contract.at("shapes")) {
    shapes.push_back(text_of(shape.at("rows")) + " x " + text_of(shape.at("width")));
  }
  return text_of(contract.at("verdict")) +
         (shapes.empty() ? "" : ", tried in " + join(shapes, " and "));
}

void print_run(const std::string& path, const json& run) {
  const auto at = [&](const char* pointer) {
    return run.value(json::json_pointer(pointer), json(nullptr));
  };
  print_row("output", path);
  print_row("state", text_of(at("/state")) + ", exit code " + text_of(at("/code")) + ", bits " +
                         text_of(at("/bits")));
  print_row("model", text_of(at("/card/name")) + ", " + text_of(at("/model/path")));
  print_row("sha256", text_of(at("/model/sha256")));
  print_row("inputs", text_of(at("/input_paths")));
  if (const json contract = at("/contract"); contract.is_object()) {
    print_row("contract", contract_text(contract));
  }
  if (const json reasons = at("/bits_reasons"); reasons.is_array() && !reasons.empty()) {
    print_row("numeric for", text_of(reasons));
  }
  if (const json drift = at("/sessions/0/encoder/drift"); drift.is_object()) {
    print_row("drift", "least cosine " + text_of(drift.at("least_cosine")) +
                           ", greatest difference " + text_of(drift.at("greatest_difference")) +
                           " from float32");
  }
  const json counts = at("/counts");
  if (counts.is_object()) {
    for (const auto& [name, value] : counts.items()) {
      print_row(name, text_of(value));
    }
  }
  if (const json left_out = at("/left_out"); left_out.is_object() && !left_out.empty()) {
    print_row("left_out", to_string(LeftOut(left_out.get<std::map<std::string, std::uint64_t>>())));
  }
  print_row("choices", text_of(at("/choices")));
  const json sessions = at("/sessions");
  for (std::size_t i = 0; sessions.is_array() && i < sessions.size(); ++i) {
    const json& session = sessions[i];
    std::string text = text_of(session.value("start", json(nullptr))) + " to " +
                       text_of(session.value("stop", json(nullptr))) + ", " +
                       text_of(session.value("state", json(nullptr)));
    const json rate =
        session.value(json::json_pointer("/timings/records_per_second"), json(nullptr));
    if (rate.is_number()) {
      text += ", " + std::to_string(rate.get<double>()) + " records/s";
    }
    const json verdict = session.value(json::json_pointer("/memory/verdict"), json(nullptr));
    if (verdict.is_string()) {
      text += ", memory " + text_of(verdict);
    }
    print_row("session " + std::to_string(i + 1), text);
  }
}

ExitCode inspect_run(const InspectOptions& options) {
  const json run = read_report(options.path + "/run.json");
  if (options.json) {
    std::cout << run.dump() << '\n';
  } else {
    print_run(options.path, run);
  }
  return ExitCode::kDone;
}

ExitCode inspect(const InspectOptions& options) {
  if (std::filesystem::is_directory(options.path)) {
    if (options.draft || options.card) {
      throw Error(ExitCode::kUsage, options.path + " is a directory, not a model",
                  "--draft-card and --card go with a model file");
    }
    return inspect_run(options);
  }
  return options.draft ? print_draft(options) : inspect_model(options);
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
  command->callback(
      [options, &context] { context.chosen = [options] { return inspect(*options); }; });
}

}  // namespace longhaul::app
