// `longhaul bench`: what this machine can do with a model. In one process: how fast it multiplies
// the model's matrices, the bare encoder over prepared batches, the whole pipeline over the same
// records, and the ratios of the three.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "backend.hpp"
#include "base/text.hpp"
#include "bench_records.hpp"
#include "command.hpp"
#include "config/device_list.hpp"
#include "config/run_config.hpp"
#include "config_options.hpp"
#include "input/selected_reader.hpp"
#include "number_checks.hpp"
#include "registry.hpp"
#include "run/pipeline.hpp"
#include "run_environment.hpp"
#include "session/auto_settings.hpp"
#include "session/encoder_options.hpp"
#include "terminal_text.hpp"
#include "usable_threads.hpp"

namespace longhaul::app {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

struct BenchOptions {
  std::string model;
  std::vector<std::string> inputs;  // whose records are taken; none: generated ones
  FlagValues settings;              // those that embed has too
  std::uint32_t records = 256;
  std::uint32_t length = 120;
  bool profile = false;
  bool json = false;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double ratio(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

// A directory of its own under the system's for temporary files, gone with it.
class TemporaryDirectory {
 public:
  TemporaryDirectory()
      : path_(std::filesystem::temp_directory_path() /
              ("longhaul-bench-" + std::to_string(getpid()))) {}
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

struct LoopResult {
  std::uint64_t records = 0;
  std::uint64_t tokens = 0;
  std::uint64_t tokens_computed = 0;
  double seconds = 0;
};

class Bench {
 public:
  Bench(const BenchOptions& options, const config::RunConfig& config, std::uint32_t threads)
      : options_(options), backend_(make_backend()), config_(config) {
    model_ = backend_.models.read_model(options.model, config.card, std::nullopt);
    NullLog log;
    const encode::EncoderOptions encoder = session::encoder_options(config_, model_.card, threads);
    encoder_ = backend_.models.make_encoder(model_, encoder, log);
    preprocessor_ = images() && generated() ? generated_pixels(model_.card.image.size)
                                            : make_preprocessor(config_, model_.card, threads, {});
    const session::Choices choices =
        session::make_choices(config_, model_.card,
                              {.device_kind = std::string(to_string(encoder_->device().kind())),
                               .parts = encoder_->rows_policy(),
                               .choices = encoder_->choices()},
                              threads);
    settings_ = session::pipeline_settings(config_, model_.card, choices, encoder_->concurrency());
  }

  json run() {
    const std::vector<std::vector<encode::HostBatch>> batches = prepare();
    // Images are judged when they are decoded.
    if (encode_all(batches).records == 0) {  // warm: every shape has been met
      throw Error(ExitCode::kBadData, "the input holds no record that the model takes",
                  "see longhaul plan for what is rejected");
    }
    const LoopResult bare = encode_all(batches);
    const run::RunReport whole = run_whole();
    const json report = encoder_->report();
    const json products = report.value("products", json::array());
    double operations_per_token = 0;
    for (const json& product : products) {
      operations_per_token += 2.0 * product.at("inputs").get<double>() *
                              product.at("outputs").get<double>() *
                              product.at("count").get<double>();
    }
    const double peak =
        backend_.measure_product_peak
            ? backend_.measure_product_peak(products, encoder_->device().name(), config_.dtype)
            : 0;
    const double bare_rate = ratio(static_cast<double>(bare.records), bare.seconds);
    const double whole_rate = ratio(static_cast<double>(whole.records), whole.seconds_total);
    const double useful =
        ratio(static_cast<double>(bare.tokens) * operations_per_token, bare.seconds);
    json result = {
        {"model", model_.card.name},
        {"device", encoder_->device().name()},
        {"dtype", to_string(config_.dtype)},
        {"choices", encoder_->choices()},
        {"batch_tokens", settings_.batch_tokens.value_or(0)},
        {"part_tokens", settings_.parts.part_tokens},
        {"records", bare.records},
        {"records_are", records_are()},
        {"bare_records_per_second", bare_rate},
        {"pipeline_records_per_second", whole_rate},
        {"pipeline_over_bare", ratio(whole_rate, bare_rate)},
        {"padding_efficiency",
         ratio(static_cast<double>(bare.tokens), static_cast<double>(bare.tokens_computed))},
        {"idle_share", ratio(whole.seconds_waiting_for_input + whole.seconds_waiting_for_output,
                             whole.seconds_total)}};
    if (!products.empty()) {
      result["peak_gflops"] = peak / 1e9;
    }
    if (!images()) {  // whose tokens, and convolutions, are not told
      result.update({{"useful_gflops", useful / 1e9}, {"useful_over_peak", ratio(useful, peak)}});
    }
    if (options_.profile) {
      result["profile"] = profile(batches);
    }
    return result;
  }

 private:
  bool images() const { return model_.card.modality == Modality::kImage; }

  bool generated() const { return options_.inputs.empty(); }

  std::string records_are() const {
    if (!generated()) {
      return "the input's first";
    }
    return images() ? "generated pixels, nothing decoded" : "generated sequences";
  }

  std::unique_ptr<input::RecordReader> records() const {
    if (generated()) {
      return generated_records(images() ? "" : model_.card.alphabet.allowed, options_.records,
                               options_.length);
    }
    return first_records(make_reader(config_, model_.card, {}, nullptr), options_.records);
  }

  // Where the bare encoder's time goes, in thread-seconds: all of its threads', whether they
  // compute or wait.
  json profile(const std::vector<std::vector<encode::HostBatch>>& batches) {
    if (!backend_.operation_times || encoder_->device().kind() != device::DeviceKind::kCpu) {
      throw Error(ExitCode::kUsage,
                  "--profile measures operators on a CPU, where they are computed",
                  "add --device cpu, or use the device's own profiler");
    }
    double seconds = 0;
    json times = backend_.operation_times([&] { seconds = encode_all(batches).seconds; });
    times["thread_seconds"] = seconds * encoder_->concurrency();
    return times;
  }

  // All batches of the run, cut as the pipeline cuts them.
  std::vector<std::vector<encode::HostBatch>> prepare() {
    const std::unique_ptr<input::RecordReader> reader = records();
    run::WindowSource windows(*reader, *preprocessor_, settings_.window, 0);
    const plan::BatchLimits limits{.rows = settings_.batch_rows,
                                   .tokens = settings_.batch_tokens,
                                   .budget = std::numeric_limits<double>::infinity(),
                                   .work = std::numeric_limits<double>::infinity(),
                                   .concurrency = encoder_->concurrency()};
    std::vector<std::vector<encode::HostBatch>> batches;
    while (std::optional<run::Window> window = windows.next()) {
      for (std::size_t at = 0; at < window->order.size();) {
        std::vector<encode::HostBatch>& batch = batches.emplace_back();
        for (const plan::Part& part : cut_batch(window->order, at, settings_.parts, limits)) {
          std::vector<prepare::Row> rows;
          for (std::uint32_t i = part.first; i < part.first + part.count; ++i) {
            const plan::Slot& slot = window->order[i];
            rows.push_back({&window->records[slot.index], slot.segment});
          }
          batch.push_back(preprocessor_->assemble(rows, part.width, part.rows).batch);
          at += part.count;
        }
      }
    }
    return batches;
  }

  LoopResult encode_all(const std::vector<std::vector<encode::HostBatch>>& batches) {
    LoopResult result;
    const Clock::time_point start = Clock::now();
    for (const std::vector<encode::HostBatch>& batch : batches) {
      encoder_->encode(std::span<const encode::HostBatch>(batch));
      for (const encode::HostBatch& part : batch) {
        result.records += part.used_rows;
        // An image, which has no width, is a token.
        result.tokens_computed += std::uint64_t{part.rows} * std::max(part.width, 1U);
        result.tokens +=
            std::accumulate(part.lengths.begin(), part.lengths.end(), std::uint64_t{0});
      }
    }
    encoder_->device().synchronize();
    result.seconds = seconds_since(start);
    return result;
  }

  run::RunReport run_whole() {
    const TemporaryDirectory directory;
    const auto files = posix_files();
    const auto opened =
        store::open_store(*files, directory.path(), {.holder = "bench", .adopt = {}});
    const auto store = opened->begin({encoder_->outputs(), {}, {}}, {{"bench", true}});
    input::SelectedReader reader(records(), std::make_unique<input::AllRecords>());
    plan::MemoryGovernor governor(session::governor_settings(config_, model_.card, settings_,
                                                             device::MemoryReading(), *encoder_));
    device::LeakMonitor leaks;
    NullLog log;
    run::PipelineHooks hooks;
    hooks.now = &Clock::now;
    hooks.stop_requested = [] { return false; };
    hooks.abandon = [] {};
    hooks.read_memory = [] { return device::MemoryReading(); };
    hooks.progress = [](const run::RunSnapshot&) {};
    return run_pipeline({reader, *preprocessor_, *encoder_, *store, governor, leaks, log},
                        settings_, hooks, std::nullopt);
  }

  const BenchOptions options_;
  const Backend backend_;
  config::RunConfig config_;
  encode::ModelFile model_;
  std::unique_ptr<encode::Encoder> encoder_;
  std::unique_ptr<prepare::Preprocessor> preprocessor_;
  run::PipelineSettings settings_;
};

void print_row(const char* name, double value, const char* unit) {
  std::array<char, 96> line{};
  std::snprintf(line.data(), line.size(), "%-34s %10.*f %s", name, value < 10 ? 3 : 1, value, unit);
  std::cout << line.data() << '\n';
}

// Shares of the encoder's time, and of each kind its dearest operators.
void print_profile(const json& profile) {
  const auto all = profile.at("thread_seconds").get<double>();
  std::cout << "\nwhere the encoder's time goes, %\n";
  for (const json& kind : profile.at("kinds")) {
    print_row(kind.at("kind").get<std::string>().c_str(),
              100 * ratio(kind.at("seconds").get<double>(), all), "");
    int shown = 0;
    for (const json& one : profile.at("operators")) {
      const double share = 100 * ratio(one.at("seconds").get<double>(), all);
      if (one.at("kind") == kind.at("kind") && share >= 0.5 && ++shown <= 3) {
        print_row(("  " + one.at("name").get<std::string>()).c_str(), share, "");
      }
    }
  }
  print_row("outside of operators",
            100 * ratio(std::max(0.0, all - profile.at("seconds").get<double>()), all), "");
}

void print_table(const json& result, std::size_t columns) {
  const auto number = [&](const char* name) { return result.at(name).get<double>(); };
  const std::string head =
      result.at("model").get<std::string>() + " on " + result.at("device").get<std::string>() +
      ", " + result.at("dtype").get<std::string>() + ", " +
      format_count(result.at("records").get<std::uint64_t>()) + " records (" +
      result.at("records_are").get<std::string>() + "), parts of " +
      format_count(result.at("part_tokens").get<std::uint64_t>()) + " tokens, " +
      format_count(result.at("batch_tokens").get<std::uint64_t>()) + " in hand";
  std::cout << filled(head, columns, 2, 0) << '\n'
            << filled(in_words(result.at("choices")), columns, 2, 0) << "\n\n";
  if (result.contains("peak_gflops")) {
    print_row("matrix products, peak", number("peak_gflops"), "GFLOP/s");
  }
  if (result.contains("useful_gflops")) {
    print_row("encoder, useful products", number("useful_gflops"), "GFLOP/s");
    print_row("  over the peak", number("useful_over_peak"), "");
  }
  print_row("bare encoder", number("bare_records_per_second"), "records/s");
  print_row("whole pipeline", number("pipeline_records_per_second"), "records/s");
  print_row("  over the bare encoder", number("pipeline_over_bare"), "");
  print_row("padding efficiency", number("padding_efficiency"), "");
  print_row("encoder idle, share of the run", number("idle_share"), "");
  if (result.contains("profile")) {
    print_profile(result.at("profile"));
  }
}

ExitCode bench(const BenchOptions& options, const Context& context) {
  config::RunConfig config = config::resolve_config(options.settings, {}, std::nullopt).config;
  config.model = options.model;
  config.inputs = options.inputs;
  config::require_one_device(config.device, "bench measures");
  config::validate_config(config);
  const std::uint32_t threads =
      config.threads.value_or(usable_threads(context.environment).threads);
  const json result = Bench(options, config, threads).run();
  if (options.json) {
    std::cout << result.dump() << '\n';
  } else {
    print_table(result, stdout_columns(context.environment));
  }
  return ExitCode::kDone;
}

}  // namespace

void add_bench(CLI::App& app, Context& context) {
  const auto options = std::make_shared<BenchOptions>();  // owned by the parser's callback
  CLI::App* command = app.add_subcommand("bench", "What this machine can do with a model");
  command->add_option("MODEL", options->model, "a TorchScript archive")->required();
  command
      ->add_option(
          "INPUT", options->inputs,
          "whose first records are taken, such as a folder of images; without it sequences, or "
          "pixels as if decoded, are generated")
      ->type_name("");
  add_setting_flags(*command,
                    {"card", "device", "threads", "dtype", "batch-size", "batch-tokens",
                     "cpu-kernels", "cpu-isa", "cpu-passes"},
                    options->settings);
  command->add_option("--records", options->records, "records; default 256")
      ->type_name("N")
      ->check(whole_number(1, 10'000'000));
  command
      ->add_option("--length", options->length, "middle length of generated records; default 120")
      ->type_name("N")
      ->check(whole_number(1, 100'000));
  command->add_flag("--profile", options->profile,
                    "also where a forward's time goes: products, attention, norm, copies...");
  command->add_flag("--json", options->json, "one JSON object on standard output");
  command->callback([options, &context] {
    context.chosen = [options, &context] { return bench(*options, context); };
  });
}

}  // namespace longhaul::app
