#include "metrics_text.hpp"

#include <array>
#include <charconv>

#include "base/text.hpp"

namespace longhaul::app {
namespace {

std::string number(double value) {
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string label_value(const std::string& text) {
  std::string out;
  for (const char c : printable(text, 4096)) {
    out += c == '\\' ? "\\\\" : c == '"' ? "\\\"" : std::string(1, c);
  }
  return out;
}

class Text {
 public:
  explicit Text(const std::string& output) : label_("{output=\"" + label_value(output) + "\"} ") {}

  template <typename Value>
  void add(const char* name, const char* type, const char* help,
           const std::optional<Value>& value) {
    if (value) {
      const std::string whole = std::string("longhaul_") + name;
      text_ += "# HELP " + whole + ' ' + help + "\n# TYPE " + whole + ' ' + type + '\n' + whole +
               label_ + number(static_cast<double>(*value)) + '\n';
    }
  }
  std::string take() { return std::move(text_); }

 private:
  std::string label_;
  std::string text_;
};

}  // namespace

std::string metrics_text(const MetricsState& state, const std::optional<ProgressSnapshot>& snapshot,
                         std::optional<double> rate) {
  constexpr const char* kCounter = "counter";
  constexpr const char* kGauge = "gauge";
  Text text(state.output);
  text.add("running", kGauge, "Whether the run is going on.", std::optional(state.code ? 0 : 1));
  text.add("exit_code", kGauge, "The exit code of a run that ended.",
           state.code ? std::optional(to_int(*state.code)) : std::nullopt);
  text.add("updated_timestamp_seconds", kGauge, "When this file was written.",
           std::optional(state.time));
  if (!snapshot) {
    return text.take();
  }
  text.add("records_total", kCounter, "Records that are done, in all sessions.",
           std::optional(snapshot->records_done));
  text.add("records_expected", kGauge, "Records of the input, where it tells.",
           snapshot->records_total);
  text.add("rejected_records_total", kCounter, "Records without a vector, in all sessions.",
           std::optional(snapshot->rejected));
  text.add("input_bytes_total", kCounter, "Bytes of the input that are done.",
           std::optional(snapshot->bytes_read));
  text.add("input_size_bytes", kGauge, "Bytes of the input, where they are known.",
           snapshot->bytes_total);
  text.add("batches_total", kCounter, "Batches of this session.", std::optional(snapshot->batches));
  text.add("records_per_second", kGauge, "Over the last half minute.", rate);
  text.add("seconds_left", kGauge, "By the tokens that are left, of each width.",
           snapshot->seconds_left);
  text.add(
      "seconds_left_approximate", kGauge, "Whether lengths of what is left are not known.",
      snapshot->seconds_left ? std::optional(snapshot->left_is_approximate ? 1 : 0) : std::nullopt);
  text.add("resident_memory_bytes", kGauge, "Memory of the process.", snapshot->rss);
  text.add("device_memory_bytes", kGauge, "Live tensors on the device.",
           snapshot->device_allocated);
  return text.take();
}

}  // namespace longhaul::app
