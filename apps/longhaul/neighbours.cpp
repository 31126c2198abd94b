// `longhaul neighbours`: the nearest rows of each row of an output, or of another's. How they are
// found is lib/score's.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "arrow/parquet_writer.hpp"
#include "backend.hpp"
#include "base/text.hpp"
#include "command.hpp"
#include "config/device_list.hpp"
#include "config_options.hpp"
#include "console.hpp"
#include "device/memory_reading.hpp"
#include "export/csv_table.hpp"
#include "export/new_path.hpp"
#include "left_out_words.hpp"
#include "neighbour_table.hpp"
#include "number_checks.hpp"
#include "progress.hpp"
#include "run_environment.hpp"
#include "session/auto_settings.hpp"
#include "session/older_outputs.hpp"
#include "session/same_vectors.hpp"
#include "signals.hpp"
#include "store/checked_rows.hpp"
#include "store/layers.hpp"
#include "usable_threads.hpp"

namespace longhaul::app {
namespace {

using nlohmann::ordered_json;

struct NeighbourOptions {
  std::string output;
  std::optional<std::string> query;
  std::optional<std::string> layer;
  std::optional<std::string> transfer;
  std::string metric = "cosine";
  std::string file;
  score::NeighbourSettings settings;
  FlagValues flags;  // of settings that embed has too
  bool quiet = false;
  bool json = false;
};

// More than this makes no search faster: a pass over the rows is then a small part of the products.
constexpr std::uint64_t kMostOnCpu = 512U << 20;
constexpr std::uint64_t kMostOnDevice = 4ULL << 30;

export_room::MakeSink sink_for(const std::string& file) {
  if (file.ends_with(".csv")) {
    return export_room::csv_sink();
  }
  if (!file.ends_with(".parquet")) {
    throw Error(ExitCode::kUsage,
                "--output " + printable(file, 400) + " does not say what format it is",
                "name a file that ends with .csv or .parquet");
  }
  export_room::MakeSink sink = arrow_room::parquet_sink();
  if (!sink) {
    throw Error(ExitCode::kUnavailable, "this build of the program writes no Parquet",
                "name a file that ends with .csv, or build it with LONGHAUL_ARROW=ON");
  }
  return sink;
}

void check(NeighbourOptions& options) {
  options.settings.metric = *from_string<score::Metric>(options.metric);
  if (options.settings.centred && options.settings.metric == score::Metric::kL2) {
    throw Error(ExitCode::kUsage, "--center changes no distance, and --metric is l2",
                "leave out --center");
  }
  if (options.query && session::is_same_directory(*options.query, options.output)) {
    throw Error(ExitCode::kUsage, "--query is the output itself",
                "leave out --query: a row is then no neighbour of its own");
  }
}

std::unique_ptr<score::Products> open_products(const config::RunConfig& config,
                                               std::uint32_t threads) {
  config::require_one_device(config.device, "neighbours searches");
  const Backend backend = make_backend();
  if (backend.make_products) {
    return backend.make_products(config.device, threads);
  }
  if (backend.try_device) {
    backend.try_device(config.device);
  }
  return score::plain_products();
}

// Half of what the limit leaves: the other half is the libraries', and what is being written.
void set_memory(const config::RunConfig& config, const std::string& device,
                score::NeighbourSettings& settings) {
  const device::MemoryReading now = device::read_host_memory();
  const std::optional<std::uint64_t> limit = session::host_limit(config, now);
  settings.most_bytes =
      limit ? device::checked_difference(*limit, now.rss.value_or(0)).value_or(0) / 2
            : std::numeric_limits<std::uint64_t>::max();
  settings.working_bytes =
      std::min(device == "cpu" ? kMostOnCpu : kMostOnDevice, settings.most_bytes);
}

std::vector<std::string> without_words(const score::RowsWithout& without, const std::string& of) {
  return counts_in_words({{without.rejected, "rejected of " + of},
                          {without.duplicates, "duplicates of " + of},
                          {without.no_direction, "without direction of " + of}});
}

std::string closing_words(const NeighbourOptions& options, const score::NeighbourSummary& done) {
  std::string text = "wrote " + format_count(done.pairs) + " pairs to " +
                     printable(options.file, 400) + ": " + format_count(done.queries) +
                     " rows, searched among " + format_count(done.rows);
  if (done.fewer > 0) {
    text += "; " + format_count(done.fewer) + " of them have fewer than " +
            format_count(options.settings.count) + " neighbours";
  }
  std::vector<std::string> left_out;
  if (options.query) {
    left_out = without_words(done.queries_without, printable(*options.query, 400));
  }
  for (std::string& words : without_words(done.rows_without, printable(options.output, 400))) {
    left_out.push_back(std::move(words));
  }
  return text + left_out_words(left_out);
}

ordered_json to_json(const score::RowsWithout& without) {
  return {{"rejected", without.rejected},
          {"duplicates", without.duplicates},
          {"no_direction", without.no_direction}};
}

ordered_json describe_search(const NeighbourOptions& options, const std::string& layer) {
  return {{"output", printable(options.output, 4096)},
          {"query", options.query ? ordered_json(printable(*options.query, 4096)) : nullptr},
          {"layer", layer},
          {"metric", options.metric},
          {"center", options.settings.centred},
          {"k", options.settings.count}};
}

// What a reader of the table alone must know of it.
std::string metadata_of(const ordered_json& search, const store::OutputReader& rows) {
  ordered_json metadata{{"neighbours", search}};
  const ordered_json run = rows.run();
  for (const char* field : {"longhaul", "model", "fingerprint"}) {
    if (run.contains(field)) {
      metadata[field] = run.at(field);
    }
  }
  return metadata.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ExitCode write_neighbours(NeighbourOptions& options, Context& context) {
  context.console =
      std::make_unique<Console>(ConsoleSettings{LogLevel::kInfo, std::nullopt, options.quiet});
  check(options);
  const export_room::MakeSink make_sink = sink_for(options.file);
  const config::RunConfig config = config::resolve_config(options.flags, {}, std::nullopt).config;
  const std::uint32_t threads =
      config.threads.value_or(usable_threads(context.environment).threads);
  const std::unique_ptr<score::Products> products = open_products(config, threads);
  const StopSignals signals;
  const std::unique_ptr<Files> files = posix_files();
  const store::OutputReader rows = store::open_finished(*files, options.output);
  const OutputSpec array = store::array_of_layer(rows, options.layer);
  std::optional<store::OutputReader> query;
  std::optional<score::SearchedOutput> queries;
  if (options.query) {
    query.emplace(store::open_finished(*files, *options.query));
    queries.emplace(score::SearchedOutput{*query, store::array_of_layer(*query, options.layer)});
    const std::string remark = session::require_same_vectors(rows, array, *query, queries->array);
    if (!remark.empty()) {
      context.console->warning(remark);
    }
  }
  set_memory(config, products->device(), options.settings);
  const ordered_json search = describe_search(options, store::layer_of(rows, array));
  NeighbourTable table(rows, options.transfer, metadata_of(search, rows));
  export_room::NewPath place(*files, options.file, PathKind::kFile, "",
                             lock_holder(context.environment));
  table.begin(*files, place.file(), make_sink);
  WorkerPool pool(threads);
  const score::NeighbourTools tools{*products, pool, &StopSignals::requested,
                                    tell_now_and_then(*context.console, "searched")};
  const score::NeighbourSummary done =
      score::find_neighbours({rows, array}, queries, options.settings, tools,
                             [&table](std::uint64_t row, const std::string& id, auto nearest) {
                               table.add(row, id, nearest);
                             });
  table.finish();
  place.publish();
  context.console->info(closing_words(options, done));
  if (options.json) {
    ordered_json summary = search;
    summary.update({{"file", printable(options.file, 4096)},
                    {"device", products->device()},
                    {"queries", done.queries},
                    {"rows", done.rows},
                    {"pairs", done.pairs},
                    {"with_fewer", done.fewer},
                    {"passes", done.passes},
                    {"left_out", to_json(done.rows_without)}});
    if (options.query) {
      summary["query_left_out"] = to_json(done.queries_without);
    }
    std::cout << summary.dump() << '\n';
  }
  return ExitCode::kDone;
}

}  // namespace

void add_neighbours(CLI::App& app, Context& context) {
  const auto options = std::make_shared<NeighbourOptions>();  // owned by the parser's callback
  CLI::App* command =
      app.add_subcommand("neighbours", "Find the nearest rows of each row, exactly");
  command->add_option("OUT", options->output, "a finished output directory of embed: the rows")
      ->required();
  command
      ->add_option("--query", options->query,
                   "another output, whose rows are searched for in OUT (default: OUT's own; a row "
                   "is then no neighbour of its own)")
      ->type_name("DIR");
  command->add_option("-k,--count", options->settings.count, "neighbours of each row (default: 10)")
      ->type_name("N")
      ->check(whole_number(1, 100'000));
  command
      ->add_option("--metric", options->metric,
                   "cosine (default), dot: the product, or l2: the Euclidean distance, least first")
      ->type_name("cosine|dot|l2")
      ->check(CLI::IsMember({"cosine", "dot", "l2"}).description(""));
  command->add_flag("--center", options->settings.centred,
                    "subtract the mean of OUT from all vectors first. Vectors of one model share "
                    "most of their direction: nanobodies have a mean cosine of 0.88 between random "
                    "pairs, and of 0.02 less the mean");
  command
      ->add_option("--transfer", options->transfer,
                   "a kept column of OUT: each row's lines end with what its nearest neighbour has "
                   "there")
      ->type_name("COLUMN");
  command
      ->add_option("--layer", options->layer,
                   "which layer's vectors, where OUT has several (default: the first)")
      ->type_name("NAME");
  command
      ->add_option("--output,-o", options->file,
                   "the file to write, .csv or .parquet; there is none of that name")
      ->type_name("FILE")
      ->required();
  add_setting_flags(*command, {"device", "threads", "memory-limit"}, options->flags);
  command->add_flag("--quiet,-q", options->quiet, "nothing but warnings on standard error");
  command->add_flag("--json", options->json, "one JSON summary on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] { return write_neighbours(*options, context); };
  });
}

}  // namespace longhaul::app
