#include "run_identity.hpp"

#include "base/error.hpp"
#include "base/text.hpp"
#include "image_match.hpp"
#include "registry.hpp"

namespace longhaul::app {
namespace {

constexpr const char* kMaxPixels = "max-pixels";

nlohmann::json or_null(const auto& optional) {
  return optional ? nlohmann::json(*optional) : nlohmann::json(nullptr);
}

// What a setting was in runs of before it was recorded.
nlohmann::json where_not_recorded(const std::string& name) {
  const nlohmann::json defaults = {
      {"skip-lines", 0}, {"gaps", "reject"}, {kMaxPixels, RunConfig{}.max_pixels}};
  return defaults.value(name, nlohmann::json(nullptr));
}

Error other_input(const std::string& output, const std::string& what) {
  return Error(ExitCode::kMismatch, output + " was made from another input: " + what,
               "restore the input, or write to another --output");
}

}  // namespace

nlohmann::json fingerprint(const RunConfig& config, const EncoderCard& card,
                           const EncoderOptions& options, const std::string& model_sha256,
                           const std::string& device_kind) {
  nlohmann::json fields = {
      {"model_sha256", model_sha256},
      {"card_sha256", sha256(card.text.dump())},
      {"sequence-column", or_null(config.sequence_column)},
      {"id-column", or_null(config.id_column)},
      {"keep-column", config.keep_column},
      {"skip-lines", config.skip_lines},
      {"delimiter", or_null(config.delimiter)},
      {"pooling", to_string(options.pooling)},
      {"normalize", to_string(options.normalize)},
      {"dtype", config.dtype},
      {"output-dtype", config.output_dtype},
      {"max-length", or_null(max_tokens(config, card))},
      {"too-long", config.too_long == TooLong::kTruncate ? "truncate" : "reject"},
      {"unknown", config.unknown == Unknown::kToken ? "token" : "reject"},
      {"gaps", config.gaps == Gaps::kRemove ? "remove" : "reject"},
      {"device", device_kind},
  };
  if (card.modality == Modality::kImage) {
    fields[kMaxPixels] = config.max_pixels;
  }
  if (config.skip_duplicates != SkipDuplicates::kOff) {
    fields["skip-duplicates"] =
        config.skip_duplicates == SkipDuplicates::kExact ? "exact" : "dhash";
  }
  if (options.pooling == Pooling::kMeanCompat) {
    fields["order"] = config.order;
    fields["batch-size"] = or_null(config.batch_size);
  }
  return fields;
}

void require_same_fingerprint(const nlohmann::json& recorded, const nlohmann::json& now,
                              const std::string& output) {
  for (const auto& [name, value] : now.items()) {
    const nlohmann::json before = recorded.value(name, where_not_recorded(name));
    if (before != value) {
      throw Error(ExitCode::kMismatch,
                  output + " was made with " + name + " " + before.dump() + ", this run has " +
                      value.dump(),
                  "use the same setting, another --output, or --overwrite");
    }
  }
}

nlohmann::json describe_sources(const std::vector<SourceIdentity>& sources) {
  nlohmann::json list = nlohmann::json::array();
  for (const SourceIdentity& source : sources) {
    list.push_back({{"path", printable(source.path, 4096)},
                    {"size", source.size},
                    {"modified_ns", source.modified_ns},
                    {"inode", source.inode},
                    {"regular", source.regular}});
  }
  return list;
}

InputMatch compare_sources(const nlohmann::json& recorded, const std::vector<SourceIdentity>& now,
                           const std::string& output) {
  if (recorded.size() != now.size()) {
    throw other_input(output, std::to_string(recorded.size()) + " files then, " +
                                  std::to_string(now.size()) + " now");
  }
  InputMatch match = InputMatch::kUnchanged;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const nlohmann::json& before = recorded[i];
    const SourceIdentity& source = now[i];
    const bool both_regular = source.regular && before.at("regular").get<bool>();
    const auto size = before.at("size").get<std::uint64_t>();
    if (both_regular && size != source.size) {
      throw other_input(output, printable(source.path, 4096) + " had " + std::to_string(size) +
                                    " bytes, now " + std::to_string(source.size));
    }
    if (!both_regular || before.at("modified_ns").get<std::int64_t>() != source.modified_ns ||
        before.at("inode").get<std::uint64_t>() != source.inode) {
      match = InputMatch::kReadAgain;
    }
  }
  return match;
}

void find_position(RecordReader& reader, InputMatch match, const InputPosition& position,
                   const Hash128& hash, Files& files, const std::string& output) {
  if (position.ordinal == 0) {
    return;
  }
  if (match == InputMatch::kUnchanged && reader.seek(position)) {
    return;
  }
  const InputPosition beginning = reader.position();
  InputDigest digest;
  for (std::uint64_t i = 0; i < position.ordinal; ++i) {
    const std::optional<Record> record = reader.next();
    if (!record) {
      throw other_input(output, "it ends after " + format_count(i) + " records, " +
                                    format_count(position.ordinal) + " were embedded before");
    }
    digest.add(*record);
  }
  if (digest.value() == hash) {
    return;
  }
  if (reader.sources_tell_all() || !reader.seek(beginning)) {
    throw other_input(output, "the first " + format_count(position.ordinal) +
                                  " records are not those that were embedded");
  }
  if (const auto other = first_other_image(reader, files, output, position.ordinal)) {
    throw other_input(output, *other);
  }
}

void require_no_more(RecordReader& reader, const std::string& output) {
  if (reader.sources_tell_all()) {
    return;
  }
  if (const std::optional<Record> record = reader.next()) {
    throw other_input(output, "it goes on with " + printable(record->id, 400) +
                                  ", which was not there when the run finished");
  }
}

}  // namespace longhaul::app
