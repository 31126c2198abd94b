// `longhaul push`: a finished output as rows of a table in PostgreSQL with pgvector.
#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.hpp"
#include "command.hpp"
#include "console.hpp"
#include "export/database_uri.hpp"
#include "export/push_output.hpp"
#include "left_out_words.hpp"
#include "modules.hpp"
#include "number_checks.hpp"
#include "progress.hpp"
#include "signals.hpp"
#include "store/checked_rows.hpp"

namespace longhaul::app {
namespace {

using export_room::PushKey;
using export_room::PushSummary;
using export_room::VectorMetric;

// Where neither the address nor the environment says another.
constexpr unsigned kConnectSeconds = 30;

const std::map<std::string, PushKey> kKeys{{"id", PushKey::kId}, {"row", PushKey::kRow}};
const std::map<std::string, VectorMetric> kMetrics{
    {"cosine", VectorMetric::kCosine}, {"l2", VectorMetric::kL2}, {"dot", VectorMetric::kDot}};

struct PushOptions {
  std::string output;
  std::string uri;
  std::string table = "embeddings";
  std::string key = "id";
  std::optional<std::string> layer;
  std::string index;
  std::string metric = "cosine";
  std::optional<std::uint64_t> batch_rows;
  bool quiet = false;
  bool json = false;
};

export_room::PushRequest request_of(const PushOptions& options) {
  export_room::require_database_uri(options.uri);
  if (options.batch_rows == 0) {
    throw Error(ExitCode::kUsage, "--batch-rows 0 would push no row", "give 1 or more");
  }
  export_room::PushRequest request{.uri = options.uri,
                                   .table = options.table,
                                   .key = kKeys.at(options.key),
                                   .layer = options.layer,
                                   .index = std::nullopt,
                                   .batch_rows = options.batch_rows};
  if (!options.index.empty()) {
    request.index = kMetrics.at(options.metric);
  }
  return request;
}

std::string closing_words(const PushSummary& done, const PushOptions& options) {
  std::string text = "pushed to table " + printable(options.table) + " of " + done.place + ": " +
                     format_count(done.rows.added) + " rows added, " +
                     format_count(done.rows.changed) + " changed, " + format_count(done.rows.same) +
                     " were there already";
  std::vector<std::string> left_out =
      counts_in_words({{done.rejected, "rejected"}, {done.duplicates, "duplicates"}});
  for (const std::string& array : done.arrays_left_out) {
    left_out.push_back(printable(array) + ".npy");
  }
  text += left_out_words(left_out);
  if (!options.index.empty()) {
    text += done.index_made ? "; index made" : "; the index was there already";
  }
  return text;
}

void print_summary(const PushSummary& done, const PushOptions& options) {
  std::cout << nlohmann::ordered_json{{"output", printable(options.output, 4096)},
                                      {"database", done.place},
                                      {"table", options.table},
                                      {"added", done.rows.added},
                                      {"changed", done.rows.changed},
                                      {"same", done.rows.same},
                                      {"left_out",
                                       {{"rejected", done.rejected},
                                        {"duplicates", done.duplicates},
                                        {"arrays", done.arrays_left_out}}},
                                      {"batches", done.batches},
                                      {"index_made", done.index_made}}
                   .dump()
            << '\n';
}

ExitCode push_rows(const PushOptions& options, Context& context) {
  context.console =
      std::make_unique<Console>(ConsoleSettings{LogLevel::kInfo, std::nullopt, options.quiet});
  const export_room::PushRequest request = request_of(options);
  const StopSignals signals;
  const std::unique_ptr<Files> files = posix_files();
  const store::OutputReader output = store::open_finished(*files, options.output);
  const bool said = context.environment.contains("PGCONNECT_TIMEOUT");
  const PushSummary done =
      push_output(output, request,
                  {&open_database_table, said ? 0 : kConnectSeconds, &StopSignals::requested,
                   tell_now_and_then(*context.console, "pushed")});
  context.console->info(closing_words(done, options));
  if (options.json) {
    print_summary(done, options);
  }
  return ExitCode::kDone;
}

void add_table_flags(CLI::App& command, PushOptions& options) {
  command.add_option("--table", options.table, "NAME or SCHEMA.NAME; made where it is not there")
      ->type_name("NAME")
      ->capture_default_str();
  command
      .add_option("--key", options.key,
                  "the table's primary key: id, or row where ids repeat (row_number)")
      ->type_name("id|row")
      ->check(CLI::IsMember(kKeys).description(""))
      ->capture_default_str();
  command.add_option("--layer", options.layer, "whose vectors; without it the first array's")
      ->type_name("NAME");
  command
      .add_option("--index", options.index,
                  "hnsw: an index when all rows are there; above 2,000 numbers over half "
                  "precision (halfvec), above 4,000 there is none")
      ->type_name("hnsw")
      ->check(CLI::IsMember({"hnsw"}).description(""));
  command.add_option("--metric", options.metric, "which distance the index is for")
      ->type_name("cosine|l2|dot")
      ->check(CLI::IsMember(kMetrics).description(""))
      ->capture_default_str();
  command
      .add_option("--batch-rows", options.batch_rows,
                  "rows in a transaction, of 64 MiB at most; without it about 8 MiB, "
                  "at most 10,000")
      ->type_name("N")
      ->check(whole_number());
}

}  // namespace

void add_push(CLI::App& app, Context& context) {
  const auto options = std::make_shared<PushOptions>();  // owned by the parser's callback
  CLI::App* command =
      app.add_subcommand("push", "Put a finished output's rows into PostgreSQL with pgvector");
  command->add_option("OUT", options->output, "a finished output directory of embed")->required();
  command
      ->add_option("--to", options->uri,
                   "postgresql://USER@HOST/DB; the password from PGPASSWORD, ~/.pgpass or "
                   "a service file: one in URI is seen by all who list processes")
      ->type_name("URI")
      ->required();
  add_table_flags(*command, *options);
  command->add_flag("--quiet,-q", options->quiet, "nothing but warnings on standard error");
  command->add_flag("--json", options->json, "one JSON summary on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] { return push_rows(*options, context); };
  });
}

}  // namespace longhaul::app
