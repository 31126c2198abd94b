#include "session/run_identity.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "domain/counters.hpp"
#include "encode/outputs.hpp"
#include "run/rewound_reader.hpp"
#include "session/encoder_options.hpp"
#include "session/image_match.hpp"

namespace longhaul::session {
namespace {

nlohmann::json or_null(const auto& optional) {
  return optional ? nlohmann::json(*optional) : nlohmann::json(nullptr);
}

bool makes_numbers(const config::Setting& setting, Modality modality, Pooling pooling) {
  switch (setting.makes_numbers) {
    case config::MakesNumbers::kYes:
      return true;
    case config::MakesNumbers::kOfImages:
      return modality == Modality::kImage;
    case config::MakesNumbers::kOfMeanCompat:
      return pooling == Pooling::kMeanCompat;
    case config::MakesNumbers::kNo:
      break;
  }
  return false;
}

// As they are chosen; of a card of one output without a name, none.
std::vector<std::string> layer_names(const encode::EncoderCard& card,
                                     const encode::EncoderOptions& options) {
  std::vector<std::string> names;
  for (const encode::CardOutput& output : encode::chosen_outputs(card, options)) {
    if (!output.name.empty()) {
      names.push_back(output.name);
    }
  }
  return names;
}

// What was done of the window in hand counts no more.
void drop_window(store::Progress& progress) {
  Counters counters = counters_from_json(progress.counters);
  counters.stayed_not_finite -= std::min<std::uint64_t>(
      counters.stayed_not_finite,
      static_cast<std::uint64_t>(
          std::count_if(progress.late.begin(), progress.late.end(), [](const LateOutcome& outcome) {
            return outcome.defect && outcome.defect->reason == Reason::kNotFinite;
          })));
  progress.counters = to_json(counters);
  progress.position = 0;
  progress.late.clear();
  progress.window_end.reset();
  progress.window_end_hash.reset();
  progress.window_ends_input = false;
}

}  // namespace

Error other_input(const std::string& output, const std::string& what) {
  return {ExitCode::kMismatch, output + " was made from another input: " + what,
          "restore the input, or write to another --output"};
}

nlohmann::json fingerprint(const config::RunConfig& config, const encode::EncoderCard& card,
                           const encode::EncoderOptions& options, const std::string& model_sha256,
                           const std::string& device_kind) {
  // What settings are that the card or the machine decides, and those with a form of their own.
  const nlohmann::json effective = {{"delimiter", or_null(config.delimiter)},
                                    {"pooling", to_string(options.pooling)},
                                    {"normalize", to_string(options.normalize)},
                                    {"layer", layer_names(card, options)},
                                    {"tokens", options.tokens},
                                    {"window-overlap", or_null(told_overlap(config, card))},
                                    {"max-length", or_null(max_tokens(config, card))},
                                    {"device", device_kind}};
  nlohmann::json fields = {{"model_sha256", model_sha256},
                           {"card_sha256", sha256(card.text.dump())}};
  for (const config::Setting& setting : config::settings_table()) {
    if (makes_numbers(setting, card.modality, options.pooling)) {
      const std::string name(setting.name);
      fields[name] = effective.contains(name) ? effective.at(name) : setting.get(config);
    }
  }
  return fields;
}

nlohmann::json recorded_setting(const nlohmann::json& fingerprint, const std::string& name) {
  if (fingerprint.contains(name)) {
    return fingerprint.at(name);
  }
  const config::Setting* const setting = config::find_setting(name);
  return setting ? setting->get(config::RunConfig{}) : nlohmann::json(nullptr);
}

bool same_fingerprint(const nlohmann::json& recorded, const nlohmann::json& now) {
  for (const auto& [name, value] : now.items()) {
    if (recorded_setting(recorded, name) != value) {
      return false;
    }
  }
  return true;
}

void require_same_fingerprint(const nlohmann::json& recorded, const nlohmann::json& now,
                              const std::string& output, const std::string& remedy) {
  for (const auto& [name, value] : now.items()) {
    const nlohmann::json before = recorded_setting(recorded, name);
    if (before != value) {
      throw Error(ExitCode::kMismatch,
                  output + " was made with " + name + " " + before.dump() + ", this run has " +
                      value.dump(),
                  remedy);
    }
  }
}

nlohmann::json describe_sources(const std::vector<input::SourceIdentity>& sources) {
  nlohmann::json list = nlohmann::json::array();
  for (const input::SourceIdentity& source : sources) {
    list.push_back({{"path", printable(source.path, 4096)},
                    {"size", source.size},
                    {"modified_ns", source.modified_ns},
                    {"changed_ns", source.changed_ns},
                    {"inode", source.inode},
                    {"regular", source.regular}});
  }
  return list;
}

nlohmann::json recorded_sources(const store::StoreState& state) {
  for (auto note = state.notes.rbegin(); note != state.notes.rend(); ++note) {
    if (note->is_object() && note->contains("inputs")) {
      return note->at("inputs");
    }
  }
  return state.begin.at("inputs");
}

bool is_recorded_file(const nlohmann::json& before, const input::SourceIdentity& now) {
  const auto is = [&before](const char* name, auto value) {
    return before.value(name, nlohmann::json()) == value;
  };
  return is("size", now.size) && is("modified_ns", now.modified_ns) && is("inode", now.inode) &&
         (!before.contains("changed_ns") || is("changed_ns", now.changed_ns));
}

InputMatch compare_sources(const nlohmann::json& recorded,
                           const std::vector<input::SourceIdentity>& now) {
  if (now.size() < recorded.size()) {
    return InputMatch::kReadAgain;
  }
  for (std::size_t i = 0; i < recorded.size(); ++i) {
    const nlohmann::json& before = recorded[i];
    const input::SourceIdentity& source = now[i];
    if (!source.regular || !before.at("regular").get<bool>() || !is_recorded_file(before, source)) {
      return InputMatch::kReadAgain;
    }
  }
  return InputMatch::kUnchanged;
}

InputMatch compare_input(const nlohmann::json& recorded, const input::RecordReader& now) {
  return now.sources_tell_all() ? compare_sources(recorded, now.sources()) : InputMatch::kReadAgain;
}

void find_position(input::DigestedReader& reader, InputMatch match, const store::Progress& progress,
                   Files& files, const std::string& output, const std::function<bool()>& stop) {
  constexpr std::uint64_t kAtATime = 1024;
  const std::uint64_t records = progress.input_records;
  if (records == 0 || (match == InputMatch::kUnchanged &&
                       reader.seek({records, progress.window_start, progress.cursor,
                                    counters_from_json(progress.counters).left_out,
                                    progress.input_hash, progress.selected_hash}))) {
    return;
  }
  const input::InputPosition beginning = reader.position();
  for (std::uint64_t to = 0; to < records;) {
    if (stop && stop()) {
      throw Error(ExitCode::kInterrupted, "stopped while the input so far was read again",
                  "give the same command again");
    }
    to = std::min(records, to + kAtATime);
    if (const std::uint64_t read = reader.read_to(to); read < to) {
      throw other_input(output, "it ends after " + format_count(read) + " records, " +
                                    format_count(records) + " were embedded before");
    }
  }
  if (reader.position().digest == progress.input_hash) {
    return;
  }
  if (reader.sources_tell_all() || !reader.seek(beginning)) {
    throw other_input(
        output, "the first " + format_count(records) + " records are not those that were embedded");
  }
  if (const auto other = first_other_image(reader, files, output, progress.window_start)) {
    throw other_input(output, *other);
  }
  reader.read_to(records);
}

bool keep_window(std::unique_ptr<input::RecordReader>& reader, store::Progress& progress,
                 const std::string& output) {
  const std::uint64_t records =
      progress.window_end ? *progress.window_end - progress.window_start : 0;
  // A window that ended with the input grows when more follows.
  auto rewound = std::make_unique<run::RewoundReader>(
      std::move(reader), records + (progress.window_ends_input ? 1 : 0));
  const std::uint64_t there = rewound->ahead().size();
  const InputHash found =
      there > records ? rewound->ahead()[records].position.digest : rewound->read().digest;
  reader = std::move(rewound);
  if (progress.window_end_hash && progress.window_end_hash->form == DigestForm::kSum) {
    const std::string begun = "records " + format_count(progress.window_start) + " to " +
                              format_count(progress.window_start + records) +
                              ", of which a part is embedded, ";
    if (there < records) {
      throw other_input(output, begun + "end after " + format_count(progress.window_start + there));
    }
    // Other times of images are no other images: the window is embedded again.
    if (found.content != progress.window_end_hash->content) {
      throw other_input(output, begun + "are not those that were read");
    }
  }
  const bool same = records > 0 && there == records && found == progress.window_end_hash;
  if (!same) {
    drop_window(progress);
  }
  return same;
}

void require_no_more(input::RecordReader& reader, const std::string& output) {
  if (const std::optional<Record> record = reader.next()) {
    throw other_input(output, "it goes on with " + printable(record->id, 400) +
                                  ", which was not there when the run finished");
  }
}

}  // namespace longhaul::session
