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
#include "export/output_table.hpp"
#include "left_out_words.hpp"
#include "modules.hpp"
#include "number_checks.hpp"
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
  std::string array;
  std::optional<std::string> key;
  std::optional<std::string> layout;
  bool all = false;
  std::optional<std::uint64_t> rows_per_file;
  bool quiet = false;
  bool json = false;
};

using export_room::H5Layout;
using export_room::NameKey;

const std::map<std::string, NameKey> kKeys{{"id", NameKey::kId}, {"hash", NameKey::kHash}};
const std::map<std::string, H5Layout> kLayouts{{"records", H5Layout::kRecords},
                                               {"matrix", H5Layout::kMatrix}};

struct Format {
  std::string ending;
  export_room::MakeSink make_sink;
  std::optional<NameKey> names;  // of a dataset for each row
};

Format parquet_format(const ExportOptions& options) {
  if (options.key || options.layout) {
    throw Error(ExitCode::kUsage,
                std::string(options.key ? "--key" : "--layout") + " says nothing to parquet",
                "leave it out, or export --to h5");
  }
  Format format{".parquet", arrow_room::parquet_sink(), std::nullopt};
  if (!format.make_sink) {
    throw Error(ExitCode::kUnavailable, "this build of the program writes no parquet",
                "build it with LONGHAUL_ARROW=ON");
  }
  return format;
}

Format h5_format(const ExportOptions& options) {
  const H5Layout layout = kLayouts.at(options.layout.value_or("records"));
  const NameKey key = kKeys.at(options.key.value_or("id"));
  if (layout == H5Layout::kMatrix && options.key) {
    throw Error(ExitCode::kUsage, "--key says nothing to --layout matrix, whose rows need no names",
                "leave one of them out");
  }
  Format format{".h5", h5_sink(layout, key), std::nullopt};
  if (layout == H5Layout::kRecords) {
    format.names = key;
  }
  return format;
}

Format format_of(const ExportOptions& options) {
  if (options.format == "parquet") {
    return parquet_format(options);
  }
  if (options.format == "h5") {
    return h5_format(options);
  }
  throw Error(ExitCode::kUsage, "--to " + printable(options.format) + " is no format of export",
              "formats: h5, parquet");
}

// A file that has a dataset for each row has them of one array: the one named, or the first.
std::string exported_array(const store::OutputReader& output, const ExportOptions& options,
                           const Format& format) {
  return options.array.empty() && format.names
             ? export_room::array_column(output.layout().outputs.front())
             : options.array;
}

// At least the vectors need so much: said now rather than when the disk is full.
void require_space(Files& files, const store::OutputReader& output,
                   const export_room::ExportRequest& request) {
  std::uint64_t needed = 0;
  const nlohmann::json run = output.run();
  const auto ok = run.value(nlohmann::json::json_pointer("/counts/ok"), std::uint64_t{0});
  for (const std::size_t i : export_room::arrays_named(output, request.array)) {
    const OutputSpec& array = output.layout().outputs[i];
    if (array.kind == ArrayKind::kVector) {
      needed += ok * array.dimension * sizeof(float);
    }
  }
  const std::string folder = parent_directory(request.file);
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
  const std::string left_out = left_out_words(
      counts_in_words({{done.rejected, "rejected"}, {done.duplicates, "duplicates"}}));
  text += left_out.empty() ? "" : left_out + " (--all has them)";
  if (!done.arrays_left_out.empty()) {
    text += "; not in it: " + printable(join(done.arrays_left_out, ", "), 400) +
            " (--array exports another)";
  }
  return text;
}

ExitCode export_table(const ExportOptions& options, Context& context) {
  context.console =
      std::make_unique<Console>(ConsoleSettings{LogLevel::kInfo, std::nullopt, options.quiet});
  const Format format = format_of(options);
  if (options.rows_per_file == 0) {
    throw Error(ExitCode::kUsage, "--rows-per-file 0 would write no row", "give 1 or more");
  }
  const StopSignals signals;
  const std::unique_ptr<Files> files = posix_files();
  const store::OutputReader output = store::open_finished(*files, options.output);
  const export_room::ExportRequest request{.file = options.file,
                                           .ending = format.ending,
                                           .all = options.all,
                                           .rows_per_file = options.rows_per_file,
                                           .array = exported_array(output, options, format),
                                           .names = format.names};
  require_space(*files, output, request);
  const export_room::ExportSummary done =
      export_output(output, request,
                    {*files, format.make_sink, lock_holder(context.environment),
                     &StopSignals::requested, tell_now_and_then(*context.console, "exported"),
                     [&](const std::string& words) { context.console->warning(words); }});
  context.console->info(closing_words(done, options));
  if (options.json) {
    std::cout << nlohmann::ordered_json{{"output", printable(options.output, 4096)},
                                        {"file", printable(options.file, 4096)},
                                        {"format", options.format},
                                        {"rows", done.rows},
                                        {"without_vector", done.without},
                                        {"left_out",
                                         {{"rejected", done.rejected},
                                          {"duplicates", done.duplicates},
                                          {"arrays", done.arrays_left_out}}},
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
                   "parquet: the columns of records.csv and the vectors as lists of float32; "
                   "h5: a dataset for each record, or one of all")
      ->type_name("parquet|h5")
      ->required();
  command->add_option("--output,-o", options->file, "the file to write; there is none of that name")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--array", options->array,
                   "of several arrays that one: vector, vector.LAYER or tokens; else all, or the "
                   "first where a file has one")
      ->type_name("NAME");
  command
      ->add_option("--layout", options->layout,
                   "of h5: records, a dataset for each (the default), or matrix, a dataset "
                   "for each array and column")
      ->type_name("records|matrix")
      ->check(CLI::IsMember(kLayouts).description(""));
  command
      ->add_option("--key", options->key,
                   "of h5: datasets are named by id (the default) or by the hash in records.csv")
      ->type_name("id|hash")
      ->check(CLI::IsMember(kKeys).description(""));
  command->add_flag("--all", options->all,
                    "rejected records and duplicates too; the vector is null where there is none");
  command
      ->add_option("--rows-per-file", options->rows_per_file,
                   "FILE is a folder then, of files with N rows each")
      ->type_name("N")
      ->check(whole_number());
  command->add_flag("--quiet,-q", options->quiet, "nothing but warnings on standard error");
  command->add_flag("--json", options->json, "one JSON summary on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] { return export_table(*options, context); };
  });
}

}  // namespace longhaul::app
