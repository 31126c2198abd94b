#include "registry.hpp"

#include <algorithm>
#include <chrono>

#include "arrow/arrow_input.hpp"
#include "base/error.hpp"
#include "modules.hpp"
#include "prepare/sequence_preprocessor.hpp"
#include "session/encoder_options.hpp"

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
                                                         const session::DuplicateOf& duplicate_of) {
  if (card.modality == Modality::kImage) {
    prepare::ImageSettings settings;
    settings.image = card.image;
    settings.workers = workers;
    settings.max_pixels = config.max_pixels;
    settings.fast_decode = config.fast_decode;
    settings.likeness = config.skip_duplicates == SkipDuplicates::kDhash;
    settings.duplicate_of = duplicate_of;
    settings.seconds = [] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
          .count();
    };
    return load_image_preprocessor(settings);
  }
  return std::make_unique<prepare::SequencePreprocessor>(card.alphabet,
                                                         session::sequence_policy(config, card));
}

session::Workshop make_workshop(const Backend& backend) {
  return {.models = backend.models,
          .make_reader = &make_reader,
          .make_preprocessor = &make_preprocessor};
}

}  // namespace longhaul::app
