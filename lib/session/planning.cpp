#include "session/planning.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/text.hpp"
#include "device/memory_reading.hpp"
#include "encode/outputs.hpp"
#include "plan/model_memory_check.hpp"
#include "session/auto_settings.hpp"
#include "session/encoder_options.hpp"
#include "session/resume_scan.hpp"
#include "session/run_report.hpp"
#include "session/session_checks.hpp"

namespace longhaul::session {
namespace {

constexpr double kLeastMargin = 0.1;  // what a machine does from one hour to the next at least

class Planning {
 public:
  Planning(const config::RunConfig& config, std::uint32_t shards, std::uint64_t block,
           const PlanningHost& host)
      : config_(config), shards_(shards), block_(block), host_(host), sanity_(host.log) {}

  RunPlan run() {
    const auto start = host_.now();
    load();
    plan_.starting_seconds = seconds_since(start);
    plan_.modality = model_.card.modality;
    plan_.model = model_.card.name;
    plan_.device = encoder_->device().name();
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

  device::MemoryReading memory() { return take_reading(host_memory_, encoder_->device(), sanity_); }

  // As a session does before its first batch, and in that order.
  void load() {
    model_ = host_.workshop.models.read_model(config_.model, config_.card, config_.model_sha256);
    options_ = encoder_options(config_, model_.card, config_.threads.value_or(host_.threads));
    require_residues(options_, model_.card);
    require_windows(config_, options_, model_.card);
    reader_ = host_.workshop.make_reader(config_, model_.card, host_.stop, &host_.log);
    const device::MemoryReading before = host_memory_.read();
    plan::require_room_for_model(host_.files.open(config_.model, OpenMode::kRead)->size(), before,
                                 host_limit(config_, before));
    encoder_ = host_.workshop.models.make_encoder(model_, options_, host_.log);
    preprocessor_ = host_.workshop.make_preprocessor(
        config_, model_.card, config_.workers.value_or(options_.threads), {});
    const Choices choices =
        make_choices(config_, model_.card,
                     {.device_kind = std::string(to_string(encoder_->device().kind())),
                      .parts = encoder_->rows_policy(),
                      .choices = encoder_->choices()},
                     options_.threads);
    pipeline_ = pipeline_settings(config_, model_.card, choices, encoder_->concurrency());
    const plan::GovernorSettings limits =
        governor_settings(config_, model_.card, pipeline_, memory(), *encoder_);
    plan_.memory_limit = limits.host_limit_bytes;
    plan_.device_memory_limit = limits.device_limit_bytes;
    governor_ = std::make_unique<plan::MemoryGovernor>(limits);
    require_contract(*encoder_, model_.card, config_, pipeline_, *governor_, host_.log);
  }

  void read() {
    InputSurveyor surveyor(
        {.window = pipeline_.window,
         .parts = pipeline_.parts,
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
      surveyor.add(preprocessor_->measure(std::move(*record)));
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
    plan_.timing = time_rungs({.encoder = *encoder_,
                               .preprocessor = *preprocessor_,
                               .governor = *governor_,
                               .pipeline = pipeline_,
                               .now = host_.now,
                               .stop = host_.stop},
                              plan_.survey);
    const device::MemoryReading now = memory();
    plan_.memory = now.peak_rss ? now.peak_rss : now.rss;
    if (encoder_->device().kind() == device::DeviceKind::kCuda) {
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
    const bool cpu = encoder_->device().kind() == device::DeviceKind::kCpu;
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
  }

  bool rejects_too_many() const {
    const Counters& counters = plan_.survey.counters;
    const run::RejectLimits& limits = pipeline_.rejects;
    return (limits.count && counters.rejected > *limits.count) ||
           (limits.percent && static_cast<double>(counters.rejected) * 100 >
                                  *limits.percent * static_cast<double>(counters.records));
  }

  void judge() {
    const Counters& counters = plan_.survey.counters;
    if (plan_.bytes_free && *plan_.bytes_free < plan_.bytes_out) {
      plan_.code = ExitCode::kIo;
      plan_.why = "a run would end for want of disk: " + format_bytes(plan_.bytes_out) +
                  " needed, " + format_bytes(*plan_.bytes_free) + " free in " +
                  printable(plan_.where, 400);
    } else if (rejects_too_many()) {
      plan_.code = ExitCode::kBadData;
      plan_.why = "more records would be rejected than allowed";
    } else {
      plan_.code = completed_code(counters, pipeline_.rejects.count || pipeline_.rejects.percent);
      plan_.why = plan_.code == ExitCode::kBadData ? "every record would be rejected" : "";
    }
  }

  const config::RunConfig& config_;
  const std::uint32_t shards_;
  const std::uint64_t block_;
  const PlanningHost& host_;
  device::HostMemory host_memory_;
  device::MemorySanity sanity_;
  encode::ModelFile model_;
  encode::EncoderOptions options_;
  std::unique_ptr<input::RecordReader> reader_;
  std::unique_ptr<encode::Encoder> encoder_;
  std::unique_ptr<prepare::Preprocessor> preprocessor_;
  std::unique_ptr<plan::MemoryGovernor> governor_;
  run::PipelineSettings pipeline_;
  RunPlan plan_;
};

}  // namespace

RunPlan plan_run(const config::RunConfig& config, std::uint32_t shards, std::uint64_t block,
                 const PlanningHost& host) {
  return Planning(config, shards, block, host).run();
}

}  // namespace longhaul::session
