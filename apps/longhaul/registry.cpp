#include "registry.hpp"

#include <algorithm>
#include <chrono>

#include "arrow/arrow_input.hpp"
#include "base/error.hpp"
#include "prepare/sequence_preprocessor.hpp"
#include "vision_module.hpp"

namespace longhaul::app {
namespace {

struct NamedFormat {
  std::string_view name;
  input::InputFormat format;
};

constexpr NamedFormat kFormats[] = {
    {"fasta", input::InputFormat::kFasta},     {"csv", input::InputFormat::kCsv},
    {"tsv", input::InputFormat::kTsv},         {"jsonl", input::InputFormat::kJsonLines},
    {"parquet", input::InputFormat::kParquet}, {"images", input::InputFormat::kImages},
};

std::optional<input::InputFormat> format_named(const std::optional<std::string>& name) {
  for (const NamedFormat& known : kFormats) {
    if (name && known.name == *name) {
      return known.format;
    }
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<input::RecordReader> make_reader(const config::RunConfig& config,
                                                 const encode::EncoderCard& card,
                                                 std::function<bool()> stop, Log* log) {
  input::InputSettings settings;
  settings.inputs = config.inputs;
  settings.files_from = config.files_from;
  settings.format = format_named(config.format);
  settings.sequence_column = config.sequence_column;
  settings.id_column = config.id_column;
  settings.keep_columns = config.keep_column;
  settings.skip_lines = config.skip_lines;
  if (config.delimiter) {
    settings.delimiter = config.delimiter->front();
  }
  settings.allow_nucleotides = config.allow_nucleotides;
  settings.images = card.modality == Modality::kImage;
  settings.stop = std::move(stop);
  settings.log = log;
  return open_input(settings, arrow_room::arrow_backends());
}

std::unique_ptr<prepare::Preprocessor> make_preprocessor(const config::RunConfig& config,
                                                         const encode::EncoderCard& card,
                                                         std::uint32_t workers,
                                                         const DuplicateOf& duplicate_of) {
  if (card.modality == Modality::kImage) {
    prepare::ImageSettings settings;
    settings.image = card.image;
    settings.workers = workers;
    settings.max_pixels = config.max_pixels;
    settings.likeness = config.skip_duplicates == SkipDuplicates::kDhash;
    settings.duplicate_of = duplicate_of;
    settings.seconds = [] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
          .count();
    };
    return load_image_preprocessor(settings);
  }
  const std::optional<std::uint32_t> limit = max_tokens(config, card);
  return std::make_unique<prepare::SequencePreprocessor>(
      card.alphabet,
      prepare::SequencePolicy{.max_tokens = limit,
                              .limit_is_models = limit == card.max_tokens,
                              .truncate = config.too_long == TooLong::kTruncate,
                              .substitute_unknown = config.unknown == Unknown::kToken,
                              .remove_gaps = config.gaps == Gaps::kRemove});
}

encode::EncoderOptions encoder_options(const config::RunConfig& config,
                                       const encode::EncoderCard& card, std::uint32_t threads) {
  encode::EncoderOptions options;
  options.model_path = config.model;
  options.device = config.device;
  options.card_path = config.card;
  options.model_sha256 = config.model_sha256;
  options.pooling = config.pooling.value_or(card.pooling);
  options.normalize = config.normalize.value_or(card.normalize);
  options.dtype = config.dtype;
  options.threads = threads;
  options.cpu_kernels = config.cpu_kernels;
  return options;
}

std::optional<std::uint32_t> max_tokens(const config::RunConfig& config,
                                        const encode::EncoderCard& card) {
  if (config.max_length && card.max_tokens) {
    if (*config.max_length > *card.max_tokens) {
      throw Error(ExitCode::kUsage,
                  "--max-length " + std::to_string(*config.max_length) + " is above the " +
                      std::to_string(*card.max_tokens) + " tokens this model can take",
                  "leave it out to use the model's own limit");
    }
    return config.max_length;
  }
  return config.max_length ? config.max_length : card.max_tokens;
}

}  // namespace longhaul::app
