#include "session/planning.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/text.hpp"
#include "device/memory_reading.hpp"
#include "encode/outputs.hpp"
#include "session/auto_settings.hpp"
#include "session/begun_run.hpp"
#include "session/encoder_options.hpp"
#include "session/engine.hpp"
#include "session/run_identity.hpp"
#include "session/run_report.hpp"
#include "session/session_checks.hpp"

namespace longhaul::session {
namespace {

constexpr double kLeastMargin = 0.1;  // what a machine does from one hour to the next at least

class Planning {
 public:
  Planning(const config::RunConfig& config, std::uint32_t shards, std::uint64_t block,
           const PlanningHost& host)
      : config_(config), shards_(shards), block_(block), host_(host), memory_(host.log) {}

  RunPlan run() {
    const auto start = host_.now();
    load();
    plan_.starting_seconds = seconds_since(start);
    plan_.modality = model_.card.modality;
    plan_.model = model_.card.name;
    plan_.device = engine_.encoder->device().name();
    plan_.threads = options_.threads;
    read();
    if (plan_.survey.work().total() > 0) {
      time();
    }
    look_at_disk();
    judge();
    return std::move(plan_);
  }

 private:
  double seconds_since(std::chrono::steady_clock::time_point start) const {
    return std::chrono::duration<double>(host_.now() - start).count();
  }

  // As a session does before its first batch, and in that order.
  void load() {
    std::optional<BegunRun> begun;
    if (!config_.output.empty() && !config_.overwrite) {
      begun = find_begun_run(host_.files, config_.output, shards_);
    }
    model_ = host_.workshop.models.read_model(config_.model, config_.card, config_.model_sha256);
    options_ = encoder_options(config_, model_.card, config_.threads.value_or(host_.threads));
    require_fitting_settings(config_, options_, model_.card,
                             shards_ > 1 ? Division::kShards : Division::kWhole);
    // What is there is compared by the survey.
    EngineTerms terms;
    terms.compares = false;
    if (begun) {
      follow(*begun, terms);
    }
    reader_ = host_.workshop.make_reader(config_, model_.card, host_.stop, &host_.log);
    require_recyclable(config_, reader_->sources());
    // What is read from a stream is gone for the survey.
    if (begun && begun->state && input::are_files(reader_->sources())) {
      require_begun_input(host_.workshop.make_reader(config_, model_.card, host_.stop, nullptr),
                          *begun->state, host_.files, config_.output, host_.stop);
    }
    engine_ =
        make_engine({config_, model_, options_, host_.files, host_.workshop, host_.log, host_.now,
                     [this] { return memory_.read_host(); },
                     [this](encode::Encoder& encoder) { return memory_.read(encoder.device()); }},
                    terms);
    plan_.memory_limit = engine_.limits.host_limit_bytes;
    plan_.device_memory_limit = engine_.limits.device_limit_bytes;
  }

  void follow(const BegunRun& begun, EngineTerms& terms) {
    if (begun.state) {
      const std::optional<store::Progress> progress = end_of_input(*begun.state);
      plan_.there = {progress ? progress->window_start + progress->position : 0,
                     begun.state->finish.has_value()};
    }
    options_.choices = begun.choices.encoder;
    if (config_.device == "auto") {
      options_.device = begun.choices.device;
    }
    terms.choices = &begun.choices;
    terms.require_same_settings = [this, &begun](const nlohmann::json& fingerprint) {
      require_same_fingerprint(begun.fingerprint, fingerprint, config_.output);
    };
  }

  void read() {
    InputSurveyor surveyor(
        {.window = engine_.pipeline.window,
         .parts = engine_.pipeline.parts,
         .layout = {stored_outputs(config_, encode::outputs_of(model_.card, options_)),
                    output_columns(config_, *reader_),
                    {}},
         .images = plan_.modality == Modality::kImage,
         .shards = shards_,
         .block = block_,
         .skip_duplicates = config_.skip_duplicates == SkipDuplicates::kExact});
    const auto start = host_.now();
    std::uint64_t records = 0;
    while (std::optional<Record> record = reader_->next()) {
      surveyor.add(engine_.preprocessor->measure(std::move(*record)));
      constexpr std::uint64_t kLook = 1024;
      if (++records % kLook == 0) {
        if (host_.stop && host_.stop()) {
          throw Error(ExitCode::kInterrupted, "interrupted before the whole input was read",
                      "give the same command again: a plan leaves nothing");
        }
        if (host_.progress) {
          host_.progress(records);
        }
      }
    }
    plan_.reading_seconds = seconds_since(start);
    plan_.survey = surveyor.finish(reader_->left_out());
  }

  void time() {
    plan_.timing = time_rungs({.encoder = *engine_.encoder,
                               .preprocessor = *engine_.preprocessor,
                               .governor = *engine_.governor,
                               .pipeline = engine_.pipeline,
                               .now = host_.now,
                               .stop = host_.stop},
                              plan_.survey);
    const device::MemoryReading now = memory_.read(engine_.encoder->device());
    plan_.memory = now.peak_rss ? now.peak_rss : now.rss;
    if (engine_.encoder->device().kind() == device::DeviceKind::kCuda) {
      plan_.device_memory = now.device.reserved ? now.device.reserved : now.device.allocated;
    }
    if (plan_.timing.rungs.empty()) {
      return;
    }
    plan_.time = expected(plan_.survey.work());
    if (shards_ > 1) {
      for (const ShardWork& shard : plan_.survey.shards) {
        plan_.shards.push_back(expected(shard.work));
      }
    }
    count_restarts();
  }

  // Reading, measuring and decoding go on beside the encoder: on a processor they take its time, a
  // share of all threads; elsewhere the slower one counts.
  Span expected(const plan::Workload& work) const {
    const std::vector<double> encoding = plan_.timing.encoding(work);
    const std::vector<double> preparing = plan_.timing.preparing(work);
    const bool cpu = engine_.encoder->device().kind() == device::DeviceKind::kCpu;
    std::vector<double> rounds;
    for (std::size_t i = 0; i < encoding.size(); ++i) {
      const double decoding = i < preparing.size() ? preparing[i] : 0;
      rounds.push_back(cpu ? encoding[i] + decoding + plan_.reading_seconds / options_.threads
                           : std::max({encoding[i], decoding, plan_.reading_seconds}));
    }
    std::sort(rounds.begin(), rounds.end());
    const double once = plan_.starting_seconds + plan_.timing.first_forwards(work);
    const double middle = rounds[rounds.size() / 2];
    return {.low = once + std::min(rounds.front(), middle * (1 - kLeastMargin)),
            .expected = once + middle,
            .high = once + std::max(rounds.back(), middle * (1 + kLeastMargin))};
  }

  // Each session starts anew, and its time is counted from its begin.
  void count_restarts() {
    if (!config_.time_limit) {
      return;
    }
    const double limit = std::chrono::duration<double>(*config_.time_limit).count();
    const double at_work = limit - plan_.starting_seconds;
    if (at_work <= 0) {
      plan_.too_short = true;
      return;
    }
    double longest = plan_.time->expected;
    for (const Span& shard : plan_.shards) {
      longest =
          &shard == &plan_.shards.front() ? shard.expected : std::max(longest, shard.expected);
    }
    const double work = std::max(longest - plan_.starting_seconds, 0.0);
    plan_.restarts = static_cast<std::uint64_t>(std::max(std::ceil(work / at_work) - 1, 0.0));
  }

  void look_at_disk() {
    for (const auto& [name, bytes] : plan_.survey.files) {
      plan_.bytes_out += bytes;
    }
    namespace fs = std::filesystem;
    fs::path folder = config_.output.empty() ? fs::path(".") : fs::path(config_.output);
    while (!host_.files.exists(folder.string())) {
      folder = folder.has_parent_path() && folder.parent_path() != folder ? folder.parent_path()
                                                                          : fs::path(".");
    }
    plan_.where = folder.string();
    plan_.bytes_free = host_.files.free_bytes(plan_.where);
    if (!config_.output.empty()) {
      plan_.bytes_there = bytes_there(host_.files, config_.output, plan_.survey.files);
    }
  }

  void fail(ExitCode code, std::string why) {
    plan_.code = code;
    plan_.why = std::move(why);
  }

  void judge() {
    const Counters& counters = plan_.survey.counters;
    const run::RejectLimits& limits = engine_.pipeline.rejects;
    const bool limited = limits.count || limits.percent;
    const std::uint64_t needed = plan_.bytes_out - std::min(plan_.bytes_out, plan_.bytes_there);
    const RungTiming& timing = plan_.timing;
    const bool nothing_timed = plan_.survey.work().total() > 0 && timing.rungs.empty();
    plan_.code = completed_code(counters, limited);
    if (plan_.bytes_free && *plan_.bytes_free < needed) {
      fail(ExitCode::kIo, "a run would end for want of disk: " + format_bytes(needed) +
                              " needed, " + format_bytes(*plan_.bytes_free) + " free in " +
                              printable(plan_.where, 400));
    } else if (run::exceeded_limit(limits, counters.records, counters.rejected)) {
      fail(ExitCode::kBadData, "more records would be rejected than allowed");
    } else if (plan_.code == ExitCode::kBadData) {
      plan_.why = "every record would be rejected";
    } else if (nothing_timed && !timing.too_large.empty()) {
      fail(ExitCode::kMemory, "no record that was tried fits in memory");
    } else if (nothing_timed) {
      fail(ExitCode::kBadData, "none of the images that were tried can be decoded");
    } else if (!timing.too_large.empty() && plan_.code == ExitCode::kDone && !limited) {
      plan_.code = ExitCode::kRejected;  // those that do not fit
    }
  }

  const config::RunConfig& config_;
  const std::uint32_t shards_;
  const std::uint64_t block_;
  const PlanningHost& host_;
  device::MemoryReader memory_;
  encode::ModelFile model_;
  encode::EncoderOptions options_;
  std::unique_ptr<input::RecordReader> reader_;
  Engine engine_;
  RunPlan plan_;
};

}  // namespace

RunPlan plan_run(const config::RunConfig& config, std::uint32_t shards, std::uint64_t block,
                 const PlanningHost& host) {
  return Planning(config, shards, block, host).run();
}

}  // namespace longhaul::session
