#include "plan_report.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "length_histogram.hpp"
#include "terminal_text.hpp"

namespace longhaul::app {
namespace {

using nlohmann::ordered_json;
using session::RunPlan;
using session::Span;

std::string seconds_text(double seconds) {
  return seconds >= 60 ? format_duration(std::chrono::duration<double>(std::round(seconds)))
                       : format_duration(std::chrono::duration<double>(seconds));
}

std::string span_text(const Span& span) {
  return "about " + seconds_text(span.expected) + ", from " + seconds_text(span.low) + " to " +
         seconds_text(span.high);
}

double efficiency(const RunPlan& plan) {
  const std::uint64_t padded = plan.survey.work().total();
  return padded > 0 ? static_cast<double>(plan.survey.tokens) / static_cast<double>(padded) : 0;
}

std::string percent(double share) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %%", share * 100);
  return text.data();
}

std::string in_words(const std::map<std::string, std::uint64_t>& reasons) {
  std::vector<std::string> words;
  for (const auto& [reason, count] : reasons) {
    words.push_back(format_count(count) + " " + reason);
  }
  return join(words, ", ");
}

class Printer {
 public:
  Printer(const RunPlan& plan, std::size_t columns)
      : plan_(plan), counters_(plan.survey.counters), columns_(columns) {}

  void print() const {
    records();
    lengths();
    tokens();
    time();
    shards();
    needs();
    if (!plan_.why.empty()) {
      say("but", plan_.why);
    }
  }

 private:
  void say(const std::string& name, const std::string& value) const {
    std::cout << named_line(name, value, columns_);
  }

  void records() const {
    std::string text = format_count(counters_.records) + ", " + format_count(counters_.ok) +
                       (images() ? " of them files that are there" : " to embed");
    if (counters_.rejected > 0) {
      text += ", " + format_count(counters_.rejected) + " rejected (" +
              in_words(counters_.rejected_by_reason) + ")";
    }
    say("records", text);
    for (const auto& [reason, rows] : plan_.survey.first_rejects) {
      for (const RecordRow& row : rows) {
        const std::string place = row.line > 0 ? " line " + std::to_string(row.line) : "";
        say("  " + reason, printable(row.source, 200) + place + ", " + printable(row.id) + ": " +
                               row.defect->message);
      }
    }
    if (!counters_.left_out.empty()) {
      say("left out", to_string(counters_.left_out));
    }
    const std::string at_least = counters_.repeated_ids_exact ? "" : "at least ";
    std::string again =
        at_least + format_count(counters_.repeated_ids) + " repeat an earlier record's id";
    if (plan_.survey.exact_duplicates) {
      again += ", " + format_count(*plan_.survey.exact_duplicates) + " its content";
    }
    say("repeated", again);
    const auto records_of = [](std::uint64_t count) {
      return format_count(count) + (count == 1 ? " record" : " records");
    };
    if (counters_.windowed > 0) {
      say("windows", format_count(counters_.windows) + " for " + records_of(counters_.windowed) +
                         " longer than what is computed at once");
    }
    if (counters_.looks_like_nucleotides > 0) {
      say("nucleotides",
          records_of(counters_.looks_like_nucleotides) + " of bases alone, like DNA or RNA");
    }
    if (plan_.there) {
      say("there", plan_.there->complete
                       ? "the output is complete: the same command would have nothing to do"
                       : records_of(plan_.there->records) +
                             " are done there; what follows is of a run from the beginning");
    }
  }

  bool images() const { return plan_.modality == Modality::kImage; }

  void lengths() const {
    const auto& lengths = plan_.survey.lengths;
    if (lengths.empty()) {
      return;
    }
    std::array<char, 32> mean{};
    std::snprintf(mean.data(), mean.size(), "%.1f", mean_length(lengths));
    say(images() ? "file sizes" : "lengths",
        format_count(lengths.begin()->first) + " to " + format_count(lengths.rbegin()->first) +
            (images() ? " bytes" : " residues") + ", median " +
            format_count(length_quantile(lengths, 0.5)) + ", mean " + mean.data());
    for (const std::string& line : drawn_classes(length_classes(lengths), columns_)) {
      std::cout << line << '\n';
    }
  }

  void tokens() const {
    if (!images() && plan_.survey.tokens > 0) {
      say("tokens", format_count(plan_.survey.tokens) + ", " +
                        format_count(plan_.survey.work().total()) +
                        " with what fills parts of one shape: " + percent(efficiency(plan_)));
    }
  }

  void time() const {
    if (!plan_.time) {
      say("time", plan_.timing.too_large.empty() ? "nothing to embed" : "not known: no part fits");
      return;
    }
    const auto& rungs = plan_.timing.rungs;
    say("time", span_text(*plan_.time) + "; " + seconds_text(plan_.starting_seconds) +
                    " of it to start; " + plan_.model + " on " + plan_.device + ", " +
                    std::to_string(plan_.threads) + " threads");
    say("timed",
        std::to_string(rungs.size()) + (images() ? " shape" : " of ") +
            (images() ? ""
                      : std::to_string(plan_.survey.work().tokens.size()) + " padded lengths") +
            ", " + std::to_string(rungs.front().seconds.size()) + " rounds");
    if (plan_.restarts) {
      say("time limit", *plan_.restarts == 0 ? "it is done in one go"
                                             : "it is given " + format_count(*plan_.restarts) +
                                                   (*plan_.restarts == 1 ? " time" : " times") +
                                                   " again until it is done");
    } else if (plan_.too_short) {
      say("time limit", "over before the first batch: each start alone takes " +
                            seconds_text(plan_.starting_seconds));
    }
  }

  void shards() const {
    if (plan_.shards.empty()) {
      return;
    }
    std::vector<std::vector<std::string>> rows{{"shard", "records", "tokens", "time", "to"}};
    for (std::size_t i = 0; i < plan_.shards.size(); ++i) {
      const session::ShardWork& work = plan_.survey.shards[i];
      rows.push_back({std::to_string(i + 1) + "/" + std::to_string(plan_.shards.size()),
                      format_count(work.records), format_count(work.work.total()),
                      seconds_text(plan_.shards[i].expected), seconds_text(plan_.shards[i].high)});
    }
    std::cout << table(rows, columns_);
  }

  void needs() const {
    std::vector<std::string> files;
    for (const auto& [name, bytes] : plan_.survey.files) {
      files.push_back(name + " " + format_bytes(bytes));
    }
    say("disk",
        format_bytes(plan_.bytes_out) + " (" + join(files, ", ") + ")" +
            (plan_.bytes_there > 0 ? "; " + format_bytes(plan_.bytes_there) + " there already"
                                   : "") +
            (plan_.bytes_free ? "; " + format_bytes(*plan_.bytes_free) + " free in " +
                                    printable(plan_.where, 200)
                              : "") +
            (plan_.shards.empty() ? "" : "; to merge shards as much again"));
    if (plan_.memory) {
      say("memory", format_bytes(*plan_.memory) + " while this was timed" +
                        (plan_.memory_limit ? ", limit " + format_bytes(*plan_.memory_limit) : ""));
    }
    if (plan_.device_memory) {
      say("device",
          format_bytes(*plan_.device_memory) +
              (plan_.device_memory_limit ? ", limit " + format_bytes(*plan_.device_memory_limit)
                                         : ""));
    }
    for (const std::uint32_t width : plan_.timing.too_large) {
      say("too large", "a part of " + std::to_string(width) +
                           " tokens does not fit in memory: a run would compute it in pieces, or "
                           "reject what does not fit alone");
    }
  }

  const RunPlan& plan_;
  const Counters& counters_;
  const std::size_t columns_;
};

ordered_json or_null(const auto& value) {
  return value ? ordered_json(*value) : ordered_json(nullptr);
}

ordered_json to_json(const Span& span) {
  return {{"low", span.low}, {"expected", span.expected}, {"high", span.high}};
}

ordered_json describe_rejects(const RunPlan& plan) {
  ordered_json rejects = ordered_json::array();
  for (const auto& [reason, rows] : plan.survey.first_rejects) {
    for (const RecordRow& row : rows) {
      rejects.push_back({{"row", row.position},
                         {"id", row.id},
                         {"source", row.source},
                         {"line", row.line > 0 ? ordered_json(row.line) : ordered_json(nullptr)},
                         {"reason", reason},
                         {"message", row.defect->message}});
    }
  }
  return rejects;
}

ordered_json describe_lengths(const RunPlan& plan) {
  const auto& lengths = plan.survey.lengths;
  if (lengths.empty()) {
    return nullptr;
  }
  ordered_json classes = ordered_json::array();
  for (const LengthClass& one : length_classes(lengths)) {
    classes.push_back({{"from", one.first}, {"to", one.last}, {"records", one.records}});
  }
  return {{"unit", plan.modality == Modality::kImage ? "bytes" : "residues"},
          {"least", lengths.begin()->first},
          {"median", length_quantile(lengths, 0.5)},
          {"mean", mean_length(lengths)},
          {"most", lengths.rbegin()->first},
          {"classes", classes}};
}

ordered_json describe_rungs(const RunPlan& plan) {
  ordered_json rungs = ordered_json::array();
  const plan::Workload work = plan.survey.work();
  for (const session::RungTime& rung : plan.timing.rungs) {
    rungs.push_back({{"width", rung.width},
                     {"tokens", work.tokens.at(rung.width)},
                     {"parts_timed", rung.parts},
                     {"rows", rung.rows},
                     {"seconds", rung.seconds}});
    if (!rung.preparing.empty()) {
      rungs.back()["preparing_seconds"] = rung.preparing;
    }
  }
  return rungs;
}

ordered_json describe_shards(const RunPlan& plan) {
  ordered_json shards = ordered_json::array();
  for (std::size_t i = 0; i < plan.survey.shards.size(); ++i) {
    shards.push_back(
        {{"records", plan.survey.shards[i].records},
         {"tokens_computed", plan.survey.shards[i].work.total()},
         {"seconds", i < plan.shards.size() ? to_json(plan.shards[i]) : ordered_json(nullptr)}});
  }
  return plan.survey.shards.size() > 1 ? shards : ordered_json(nullptr);
}

}  // namespace

void print_plan(const RunPlan& plan, std::size_t columns) {
  Printer(plan, columns).print();
}

ordered_json to_json(const RunPlan& plan) {
  const Counters& counters = plan.survey.counters;
  nlohmann::json left_out = longhaul::to_json(counters);
  return {{"code", to_int(plan.code)},
          {"why", plan.why.empty() ? ordered_json(nullptr) : ordered_json(plan.why)},
          {"model", plan.model},
          {"device", plan.device},
          {"threads", plan.threads},
          {"records", counters.records},
          {"ok", counters.ok},
          {"rejected", counters.rejected},
          {"rejected_by_reason", counters.rejected_by_reason},
          {"first_rejects", describe_rejects(plan)},
          {"left_out", left_out.value("left_out", nlohmann::json::object())},
          {"repeated_ids", counters.repeated_ids},
          {"repeated_ids_exact", counters.repeated_ids_exact},
          {"exact_duplicates", or_null(plan.survey.exact_duplicates)},
          {"residues", counters.residues},
          {"lengths", describe_lengths(plan)},
          {"tokens", plan.survey.tokens},
          {"tokens_computed", plan.survey.work().total()},
          {"padding_efficiency", efficiency(plan)},
          {"rungs", describe_rungs(plan)},
          {"too_large", plan.timing.too_large},
          {"reading_seconds", plan.reading_seconds},
          {"starting_seconds", plan.starting_seconds},
          {"seconds", plan.time ? to_json(*plan.time) : ordered_json(nullptr)},
          {"shards", describe_shards(plan)},
          {"restarts", or_null(plan.restarts)},
          {"files", plan.survey.files},
          {"bytes", plan.bytes_out},
          {"bytes_there", plan.bytes_there},
          {"there", plan.there ? ordered_json{{"records", plan.there->records},
                                              {"complete", plan.there->complete}}
                               : ordered_json(nullptr)},
          {"bytes_free", or_null(plan.bytes_free)},
          {"memory_bytes", or_null(plan.memory)},
          {"memory_limit_bytes", or_null(plan.memory_limit)},
          {"device_memory_bytes", or_null(plan.device_memory)},
          {"device_memory_limit_bytes", or_null(plan.device_memory_limit)}};
}

}  // namespace longhaul::app
