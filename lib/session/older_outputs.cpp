#include "session/older_outputs.hpp"

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "domain/counters.hpp"
#include "session/retry_mode.hpp"
#include "session/run_identity.hpp"
#include "store/shards.hpp"

namespace longhaul::session {
namespace {

using nlohmann::json;

// They find records and make no number of one that was found.
constexpr std::array kOfInput{"sequence-column", "id-column", "keep-column", "skip-lines",
                              "delimiter"};

store::OutputReader open_older(Files& files, const OlderOutput& older, const std::string& output) {
  const std::string& path = older.path;
  const std::string name = "--reuse " + printable(path, 400);
  if (files.kind(path) != PathKind::kDirectory) {
    throw Error(ExitCode::kIo, name + " is not a directory", "name the output of an earlier run");
  }
  if (is_same_directory(path, output)) {
    throw Error(ExitCode::kUsage, name + " is the output itself",
                "name another --output, and the older one with --reuse");
  }
  if (!files.exists(store::path_in(path, store::store_files::kJournal))) {
    if (store::has_shards(files, path)) {
      throw Error(ExitCode::kInterrupted, name + " holds shards that are not merged",
                  "give longhaul merge " + shell_word(path) + " first");
    }
    throw Error(ExitCode::kMismatch, name + " is no output of longhaul embed",
                "name the --output of an earlier run, with all of its files");
  }
  store::OutputReader reader(files, path);
  if (const std::string writer = older.held ? "" : reader.writer(); !writer.empty()) {
    throw Error(ExitCode::kUnavailable, name + " is being written by " + writer,
                "give this command when that has ended");
  }
  if (!reader.claims()) {
    throw Error(ExitCode::kMismatch, name + " holds no run: nothing was begun in it",
                "leave it out, or give its embed command first");
  }
  return reader;
}

json only_numbers(json fingerprint) {
  for (const char* name : kOfInput) {
    fingerprint.erase(name);
  }
  return fingerprint;
}

// What of a run's choices makes bits.
json bits_of(const Choices& choices) {
  json bits = to_json(choices);
  for (const char* name : {"window", "device", "threads"}) {
    bits.erase(name);
  }
  return bits;
}

// Why the rows of an output may differ in low bits from rows computed now; empty where they may
// not.
std::vector<std::string> numeric_reasons(const store::OutputReader& reader) {
  const json report = reader.run();
  std::vector<std::string> reasons;
  if (report.value("bits", json()) != "exact") {
    for (const json& reason : report.value("bits_reasons", json::array())) {
      reasons.push_back(reason.is_string() ? reason.get<std::string>() : reason.dump());
    }
    if (reasons.empty()) {
      reasons.emplace_back("run.json there does not say what its bits are");
    }
  }
  // run.json of a run that was killed is as old as its last session's beginning.
  if (const auto& progress = reader.claims()->run.progress) {
    const Counters counters = counters_from_json(progress->counters);
    if (reasons.empty() && counters.reshaped + counters.computed_alone > 0) {
      reasons.emplace_back("vectors were computed in other shapes than their own");
    }
  }
  return reasons;
}

}  // namespace

bool is_same_directory(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

std::string OlderOutputs::Output::said() const {
  return (held ? "" : "--reuse ") + printable(reader.path(), 400);
}

std::string OlderOutputs::Output::remedy() const {
  return held ? "use the same setting, or --overwrite in place of --update, so that all is computed"
              : "use the same setting, or leave out --reuse, so that all is computed";
}

std::vector<OlderOutput> older_outputs(const config::RunConfig& config) {
  std::vector<OlderOutput> older;
  for (const std::string& path : config.reuse) {
    older.push_back({path});
  }
  return older;
}

OlderOutputs::OlderOutputs(Files& files, const std::vector<OlderOutput>& older,
                           const std::string& output)
    : files_(files) {
  if (older.size() > store::RowIndex::kMostOutputs) {
    throw Error(ExitCode::kUsage,
                "--reuse is given " + format_count(older.size()) + " times, and takes at most " +
                    format_count(store::RowIndex::kMostOutputs),
                "embed from some of them first, and reuse that output with the others");
  }
  for (const OlderOutput& one : older) {
    store::OutputReader reader = open_older(files, one, output);
    RunBegin begin = run_begin_from_json(reader.claims()->run.begin);
    json retried = fingerprint_as_retried(begin.fingerprint, reader.run());
    outputs_.push_back({std::move(reader), std::move(begin), std::move(retried), one.held});
  }
}

std::string OlderOutputs::names() const {
  std::vector<std::string> names;
  for (const Output& output : outputs_) {
    names.push_back(printable(output.reader.path(), 400));
  }
  return join(names, ", ");
}

RunBegin OlderOutputs::followed(const config::RunConfig& config, std::uint32_t threads) const {
  RunBegin begin;
  begin.fingerprint = outputs_.front().begin.fingerprint;
  begin.choices = outputs_.front().begin.choices;
  begin.choices.threads = config.threads.value_or(threads);
  if (config.device != "auto") {
    begin.choices.device = config.device;
  }
  return begin;
}

void OlderOutputs::require_begun(const RunBegin& begin, const std::string& output) const {
  const std::string name = printable(output, 400);
  bool same = begin.reuse.size() == outputs_.size();
  for (std::size_t i = 0; same && i < outputs_.size(); ++i) {
    same = begin.reuse[i].state == outputs_[i].reader.claims()->end.crc;
  }
  if (!same) {
    std::vector<std::string> before;
    for (const ReusedOutput& reused : begin.reuse) {
      before.push_back("--reuse " + reused.path);
    }
    throw Error(ExitCode::kMismatch,
                name + " was begun " +
                    (before.empty() ? "without --reuse"
                                    : "with " + join(before, " ") +
                                          " as that was then, and now it is another"),
                "leave out --reuse, so that what is left is computed, or start anew with "
                "--overwrite");
  }
}

void OlderOutputs::require_same_settings(const json& fingerprint) const {
  const json now = only_numbers(fingerprint);
  for (const Output& output : outputs_) {
    if (!same_fingerprint(only_numbers(output.retried), now)) {
      require_same_fingerprint(only_numbers(output.begin.fingerprint), now, output.said(),
                               output.remedy());
    }
  }
}

RunBegin OlderOutputs::begin(RunBegin fresh) const {
  for (const Output& output : outputs_) {
    const std::string name = output.said();
    const json then = bits_of(output.begin.choices);
    const json now = bits_of(fresh.choices);
    if (then != now) {
      throw Error(ExitCode::kMismatch,
                  name + " was computed with the choices " + then.dump() + ", and this run with " +
                      now.dump(),
                  output.remedy());
    }
    if (output.begin.bits_machine != fresh.bits_machine) {
      throw Error(ExitCode::kMismatch,
                  name + " was computed with " + output.begin.bits_machine.dump() +
                      ", and here it is " + fresh.bits_machine.dump() +
                      ": rows of both in one output would differ in their low bits",
                  output.held ? "give this command there, or --overwrite in place of --update, so "
                                "that all is computed"
                              : "give this command there, or leave out --reuse, so that all is "
                                "computed");
    }
    fresh.reuse.push_back({printable(output.reader.path(), 4096), output.reader.claims()->end.crc,
                           numeric_reasons(output.reader)});
  }
  return fresh;
}

std::unique_ptr<run::OlderRows> OlderOutputs::rows(const store::StoreLayout& layout, ReuseBy by,
                                                   Log& log) const {
  std::vector<store::OutputReader> readers;
  for (const Output& output : outputs_) {
    if (output.reader.layout().outputs != layout.outputs) {
      throw Error(ExitCode::kMismatch, output.said() + " has other arrays than this run writes",
                  output.remedy());
    }
    readers.push_back(output.reader);
  }
  return std::make_unique<run::OlderRows>(
      files_, readers,
      by == ReuseBy::kTime ? run::OlderRows::Images::kByStamp : run::OlderRows::Images::kByContent,
      log);
}

}  // namespace longhaul::session
