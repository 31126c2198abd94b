// `longhaul export`: a finished output in the format of other programs.
#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "arrow/parquet_writer.hpp"
#include "base/text.hpp"
#include "command.hpp"
#include "console.hpp"
#include "export/export_output.hpp"
#include "progress.hpp"
#include "run_environment.hpp"
#include "signals.hpp"
#include "store/checked_rows.hpp"

namespace longhaul::app {
namespace {

struct ExportOptions {
  std::string output;
  std::string format;
  std::string file;
  bool all = false;
  std::optional<std::uint64_t> rows_per_file;
  bool quiet = false;
  bool json = false;
};

struct Format {
  std::string ending;
  export_room::MakeSink make_sink;
};

std::map<std::string, Format> formats() {
  return {{"parquet", {".parquet", arrow_room::parquet_sink()}}};
}

Format format_named(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, format] : formats()) {
    if (known == name) {
      if (!format.make_sink) {
        throw Error(ExitCode::kUnavailable, "this build of the program writes no " + name,
                    "build it with LONGHAUL_ARROW=ON");
      }
      return format;
    }
    names.push_back(known);
  }
  throw Error(ExitCode::kUsage, "--to " + printable(name) + " is no format of export",
              "formats: " + join(names, ", "));
}

// At least the vectors need so much: said now rather than when the disk is full.
void require_space(Files& files, const store::OutputReader& output, const ExportOptions& options) {
  std::uint64_t needed = 0;
  const nlohmann::json run = output.run();
  const auto ok = run.value(nlohmann::json::json_pointer("/counts/ok"), std::uint64_t{0});
  for (const OutputSpec& array : output.layout().outputs) {
    if (array.kind == ArrayKind::kVector) {
      needed += ok * array.dimension * sizeof(float);
    }
  }
  const std::string folder = parent_directory(options.file);
  const std::optional<std::uint64_t> free = files.free_bytes(folder);
  if (free && *free < needed) {
    throw Error(ExitCode::kIo,
                "not enough disk in " + printable(folder, 400) + ": " + format_bytes(needed) +
                    " needed for the vectors, " + format_bytes(*free) + " free",
                "free some space, or name a file elsewhere with --output");
  }
}

std::string closing_words(const export_room::ExportSummary& done, const ExportOptions& options) {
  std::string text =
      "exported " + format_count(done.rows) + " rows to " + printable(options.file, 400) +
      (options.rows_per_file
           ? " in " + format_count(done.files) + (done.files == 1 ? " file" : " files")
           : "");
  if (done.without > 0) {
    text += "; " + format_count(done.without) + " of them without a vector";
  }
  std::vector<std::string> left_out;
  if (done.rejected > 0) {
    left_out.push_back(format_count(done.rejected) + " rejected");
  }
  if (done.duplicates > 0) {
    left_out.push_back(format_count(done.duplicates) + " duplicates");
  }
  return left_out.empty() ? text
                          : text + "; left out: " + join(left_out, ", ") + " (--all has them)";
}

ExitCode export_table(const ExportOptions& options, Context& context) {
  context.console =
      std::make_unique<Console>(ConsoleSettings{LogLevel::kInfo, std::nullopt, options.quiet});
  const Format format = format_named(options.format);
  if (options.rows_per_file == 0) {
    throw Error(ExitCode::kUsage, "--rows-per-file 0 would write no row", "give 1 or more");
  }
  const StopSignals signals;
  const std::unique_ptr<Files> files = posix_files();
  const store::OutputReader output = store::open_finished(*files, options.output);
  require_space(*files, output, options);
  const export_room::ExportRequest request{.file = options.file,
                                           .ending = format.ending,
                                           .all = options.all,
                                           .rows_per_file = options.rows_per_file};
  const export_room::ExportSummary done =
      export_output(output, request,
                    {*files, format.make_sink, lock_holder(context.environment),
                     &StopSignals::requested, tell_now_and_then(*context.console, "exported")});
  context.console->info(closing_words(done, options));
  if (options.json) {
    std::cout << nlohmann::ordered_json{{"output", printable(options.output, 4096)},
                                        {"file", printable(options.file, 4096)},
                                        {"format", options.format},
                                        {"rows", done.rows},
                                        {"without_vector", done.without},
                                        {"left_out",
                                         {{"rejected", done.rejected},
                                          {"duplicates", done.duplicates}}},
                                        {"files", done.files}}
                     .dump()
              << '\n';
  }
  return ExitCode::kDone;
}

}  // namespace

void add_export(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ExportOptions>();  // owned by the parser's callback
  CLI::App* command =
      app.add_subcommand("export", "Write a finished output in the format of other programs");
  command->add_option("OUT", options->output, "a finished output directory of embed")->required();
  command
      ->add_option("--to", options->format,
                   "parquet: the columns of records.csv and the vectors as lists of float32")
      ->type_name("parquet")
      ->required();
  command->add_option("--output,-o", options->file, "the file to write; there is none of that name")
      ->type_name("FILE")
      ->required();
  command->add_flag("--all", options->all,
                    "rejected records and duplicates too; the vector is null where there is none");
  command
      ->add_option("--rows-per-file", options->rows_per_file,
                   "FILE is a folder then, of files with N rows each")
      ->type_name("N");
  command->add_flag("--quiet,-q", options->quiet, "nothing but warnings on standard error");
  command->add_flag("--json", options->json, "one JSON summary on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] { return export_table(*options, context); };
  });
}

}  // namespace longhaul::app
