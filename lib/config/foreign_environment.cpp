// Variables that users of the original systems have in their scripts: DEVICE, FORCE_CPU,
// GPU_BATCH_SIZE, GPU_MEMORY_CLEANUP_ENABLED and GPU_MEMORY_CLEANUP_INTERVAL. A value that makes no
// sense is warned about and left out: such a script must not fail here for a variable that was
// meant for another program.
#include "base/error.hpp"
#include "base/text.hpp"
#include "config/layers.hpp"
#include "config/setting_values.hpp"

namespace longhaul::config {
namespace {

class Foreign {
 public:
  Foreign(const std::map<std::string, std::string>& environment, const Layer& flags, Layer& layer,
          ResolvedConfig& resolved)
      : environment_(environment), flags_(flags), layer_(layer), resolved_(resolved) {}

  std::optional<std::string> value(const std::string& variable) const {
    const auto found = environment_.find(variable);
    if (found == environment_.end() || found->second.empty()) {
      return std::nullopt;
    }
    return found->second;
  }

  bool decided(const std::string& setting) const {
    return flags_.contains(setting) || layer_.contains(setting);
  }

  void warn(const std::string& variable, const std::string& allowed) {
    resolved_.warnings.push_back("the environment variable " + variable + "=" +
                                 printable(*value(variable)) +
                                 " makes no sense and is left out; allowed: " + allowed);
  }

  void notice(const std::string& text) { resolved_.notices.push_back(text); }

  // Takes `text` for `setting` if the setting accepts it.
  bool use(const std::string& variable, const std::string& setting, const std::string& text) {
    const Choice choice{{text}, Origin::kEnvironment, variable, variable};
    try {
      RunConfig scratch;
      apply(*find_setting(setting), choice, scratch);
    } catch (const Error&) {
      return false;
    }
    layer_[setting] = choice;
    notice("--" + setting + " " + text + " is taken from the environment variable " + variable +
           "=" + printable(*value(variable)));
    return true;
  }

 private:
  const std::map<std::string, std::string>& environment_;
  const Layer& flags_;
  Layer& layer_;
  ResolvedConfig& resolved_;
};

void take_device(Foreign& foreign) {
  const std::optional<std::string> device = foreign.value("DEVICE");
  const std::optional<std::string> force = foreign.value("FORCE_CPU");
  std::optional<bool> forced;
  if (force) {
    const std::string word = to_lower(*force);
    forced = word == "1" || word == "true" || word == "yes" ? true : values::parse_switch(*force);
    if (!forced) {
      foreign.warn("FORCE_CPU", "1, true, yes, or 0, false, no");
    }
  }
  if (foreign.decided("device")) {
    return;
  }
  if (device && to_lower(*device) != "auto") {
    if (foreign.use("DEVICE", "device", to_lower(*device))) {
      return;  // DEVICE goes before FORCE_CPU, as in the original
    }
    foreign.warn("DEVICE", "auto, cpu, cuda, cuda:N, mps");
  }
  if (forced.value_or(false)) {
    foreign.use("FORCE_CPU", "device", "cpu");
  }
}

void take_batch_size(Foreign& foreign) {
  if (foreign.value("GPU_BATCH_SIZE") && !foreign.decided("batch-size") &&
      !foreign.decided("batch-tokens") &&
      !foreign.use("GPU_BATCH_SIZE", "batch-size", *foreign.value("GPU_BATCH_SIZE"))) {
    foreign.warn("GPU_BATCH_SIZE", "a whole number, 1 or more");
  }
}

// The original counted records between clean-ups; here it is batches.
void take_cleanup(Foreign& foreign, const Layer& flags, const Layer& layer) {
  const std::optional<std::string> enabled = foreign.value("GPU_MEMORY_CLEANUP_ENABLED");
  const std::optional<std::string> interval = foreign.value("GPU_MEMORY_CLEANUP_INTERVAL");
  if (foreign.decided("clear-cache-every")) {
    return;
  }
  const std::optional<bool> on = enabled ? values::parse_switch(*enabled) : std::nullopt;
  if (enabled && !on) {
    foreign.warn("GPU_MEMORY_CLEANUP_ENABLED", "true, false");
  }
  if (on == false) {
    foreign.use("GPU_MEMORY_CLEANUP_ENABLED", "clear-cache-every", "0");
    return;
  }
  if (!interval) {
    return;
  }
  const std::optional<std::uint64_t> records = parse_count(*interval);
  if (!records || *records == 0) {
    foreign.warn("GPU_MEMORY_CLEANUP_INTERVAL", "a whole number, 1 or more");
    return;
  }
  std::optional<std::uint64_t> batch;
  for (const Layer* from : {&layer, &flags}) {
    if (const auto found = from->find("batch-size"); found != from->end()) {
      batch = parse_count(found->second.values.back());
    }
  }
  const std::uint64_t rows = batch.value_or(1) == 0 ? 1 : batch.value_or(1);
  foreign.use("GPU_MEMORY_CLEANUP_INTERVAL", "clear-cache-every",
              std::to_string(*records / rows + (*records % rows == 0 ? 0 : 1)));
  foreign.notice(batch ? "GPU_MEMORY_CLEANUP_INTERVAL counts records, --clear-cache-every batches"
                       : "GPU_MEMORY_CLEANUP_INTERVAL counts records; without a fixed batch size "
                         "it is taken as batches");
}

}  // namespace

void add_foreign_environment(const std::map<std::string, std::string>& environment,
                             const Layer& flags, Layer& environment_layer,
                             ResolvedConfig& resolved) {
  Foreign foreign(environment, flags, environment_layer, resolved);
  take_device(foreign);
  take_batch_size(foreign);
  take_cleanup(foreign, flags, environment_layer);
}

}  // namespace longhaul::config
