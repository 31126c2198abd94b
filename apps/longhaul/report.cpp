// `longhaul report`: a page that tells what an output holds and how it came about.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "command.hpp"
#include "console.hpp"
#include "modules.hpp"
#include "progress.hpp"
#include "report/page.hpp"
#include "report/report_data.hpp"
#include "report/report_file.hpp"
#include "run_environment.hpp"
#include "session/output_state.hpp"
#include "signals.hpp"
#include "store/checked_rows.hpp"
#include "store/shards.hpp"
#include "usable_threads.hpp"
#include "version.hpp"

namespace longhaul::app {
namespace {

struct ReportOptions {
  std::string output;
  std::optional<std::string> file;
  std::optional<std::string> colour;
  bool quiet = false;
  bool json = false;
};

constexpr std::uint32_t kPictureSide = 96;

// The square in the middle of an image, through the module that decodes images for runs.
report::Picture take_picture(const prepare::Preprocessor& module, const std::string& path) {
  Record record;
  record.payload = path;
  prepare::Prepared prepared = module.measure(record);
  const prepare::Row row{&prepared, 0};
  prepare::Assembled made = module.assemble({&row, 1}, 1, 0);
  if (!made.rejected.empty()) {
    return {0, {}, made.rejected.front().defect.message};
  }
  return {kPictureSide, std::move(made.batch.pixels), ""};
}

// Loads the module when the first picture is asked for. Without it each picture says why.
report::Thumbnail thumbnails() {
  auto module = std::make_shared<std::unique_ptr<prepare::Preprocessor>>();  // of the copies of it
  return [module](const std::string& path) -> report::Picture {
    try {
      if (!*module) {
        prepare::ImageSettings settings;
        settings.image.size = kPictureSide;
        settings.image.resize = kPictureSide;
        settings.image.layout = "NHWC";
        settings.image.exif = "apply";
        *module = load_image_preprocessor(settings);
      }
      return take_picture(**module, path);
    } catch (const Error& error) {
      return {0, {}, error.what()};
    }
  };
}

void require_single_output(Files& files, const std::string& path) {
  if (files.kind(path) == PathKind::kDirectory &&
      !files.exists(store::path_in(path, store::store_files::kJournal)) &&
      store::has_shards(files, path)) {
    store::refuse_unmerged(
        path, "name one of the folders in " + shell_word(store::shards_directory(path)));
  }
}

std::string closing_words(const nlohmann::ordered_json& data, const std::string& file) {
  const auto& map = data.at("map");
  const auto records = data.at("records").at("records").get<std::uint64_t>();
  std::string text = "wrote " + printable(file, 400) + ": " + format_count(records) +
                     (records == 1 ? " record" : " records");
  const auto committed = data.at("run").value(
      nlohmann::ordered_json::json_pointer("/counts/records"), std::uint64_t{0});
  if (committed > records) {
    text += " of " + format_count(committed) +
            " that are committed (the others stand in a window that is not complete yet)";
  }
  if (map.contains("points")) {
    text += ", the map of " + format_count(map.at("rows").get<std::uint64_t>()) + " vectors with " +
            format_count(map.at("points").at("x").size()) + " of them drawn";
  }
  return text;
}

ExitCode report_output(const ReportOptions& options, Context& context) {
  context.console =
      std::make_unique<Console>(ConsoleSettings{LogLevel::kInfo, std::nullopt, options.quiet});
  const StopSignals signals;
  const std::unique_ptr<Files> files = posix_files();
  require_single_output(*files, options.output);
  const session::OutputState state = session::read_output_state(*files, options.output);
  const store::OutputReader output(*files, options.output);
  const std::string file = options.file.value_or(output.path_of("report.html"));
  report::require_own_page(*files, file);
  const report::ReportRequest request{
      .map = {.colour = options.colour, .workers = usable_threads(context.environment).threads},
      .made = utc_now(),
      .version = versions().at("longhaul").get<std::string>()};
  const nlohmann::ordered_json data = report_data(
      output, to_json(state), request,
      {*files, thumbnails(), &StopSignals::requested, tell_now_and_then(*context.console, "read")});
  report::write_page(*files, file, report::make_page(data));
  context.console->info(closing_words(data, file));
  if (options.json) {
    std::cout << nlohmann::ordered_json{{"output", printable(options.output, 4096)},
                                        {"file", printable(file, 4096)},
                                        {"state", state.state},
                                        {"records", data.at("records")}}
                     .dump()
              << '\n';
  }
  return ExitCode::kDone;
}

}  // namespace

void add_report(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ReportOptions>();  // owned by the parser's callback
  CLI::App* command =
      app.add_subcommand("report", "One page about an output: what ran, memory, rejects, a map");
  command->add_option("OUT", options->output, "an output directory of embed, finished or not")
      ->required();
  command
      ->add_option("--output,-o", options->file,
                   "the page; OUT/report.html otherwise. One of ours is replaced")
      ->type_name("FILE");
  command
      ->add_option("--colour", options->colour,
                   "colours the map: a kept column, or length (the default)")
      ->type_name("COLUMN");
  command->add_flag("--quiet,-q", options->quiet, "nothing but warnings on standard error");
  command->add_flag("--json", options->json, "one JSON summary on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] { return report_output(*options, context); };
  });
}

}  // namespace longhaul::app
