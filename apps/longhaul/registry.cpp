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
  InputFormat format;
};

constexpr NamedFormat kFormats[] = {
    {"fasta", InputFormat::kFasta},     {"csv", InputFormat::kCsv},
    {"tsv", InputFormat::kTsv},         {"jsonl", InputFormat::kJsonLines},
    {"parquet", InputFormat::kParquet}, {"images", InputFormat::kImages},
};

std::optional<InputFormat> format_named(const std::optional<std::string>& name) {
  for (const NamedFormat& known : kFormats) {
    if (name && known.name == *name) {
      return known.format;
    }
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<RecordReader> make_reader(const RunConfig& config, const EncoderCard& card,
                                          std::function<bool()> stop, Log* log) {
  InputSettings settings;
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
  return open_input(settings, arrow_backends());
}

std::unique_ptr<Preprocessor> make_preprocessor(const RunConfig& config, const EncoderCard& card,
                                                std::uint32_t workers,
                                                const DuplicateOf& duplicate_of) {
  if (card.modality == Modality::kImage) {
    ImageSettings settings;
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
  return std::make_unique<SequencePreprocessor>(
      card.alphabet, SequencePolicy{.max_tokens = limit,
                                    .limit_is_models = limit == card.max_tokens,
                                    .truncate = config.too_long == TooLong::kTruncate,
                                    .substitute_unknown = config.unknown == Unknown::kToken,
                                    .remove_gaps = config.gaps == Gaps::kRemove});
}

EncoderOptions encoder_options(const RunConfig& config, const EncoderCard& card,
                               std::uint32_t threads) {
  EncoderOptions options;
  options.model_path = config.model;
  options.device = config.device;
  options.card_path = config.card;
  options.model_sha256 = config.model_sha256;
  options.pooling = config.pooling ? *pooling_from_string(*config.pooling) : card.pooling;
  options.normalize = config.normalize ? *normalize_from_string(*config.normalize) : card.normalize;
  options.dtype = *dtype_from_string(config.dtype);
  options.threads = threads;
  options.cpu_kernels = config.cpu_kernels;
  return options;
}

std::optional<std::uint32_t> max_tokens(const RunConfig& config, const EncoderCard& card) {
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
