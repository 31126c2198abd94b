#include "encode/golden.hpp"

#include <algorithm>
#include <string>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::encode {
namespace {

Error bad_golden(std::string_view input, const std::string& problem) {
  return {ExitCode::kBadData, "golden input '" + printable(input, 40) + "' " + problem,
          "correct the card's golden vectors, or remove them"};
}

HostBatch sequence_batch(const EncoderCard& card, std::string_view residues) {
  const Alphabet& alphabet = card.alphabet;
  HostBatch batch;
  if (alphabet.prepend) {
    batch.tokens.push_back(*alphabet.prepend);
  }
  for (const char residue : residues) {
    if (alphabet.allowed.find(residue) == std::string::npos) {
      throw bad_golden(residues, std::string("holds '") + printable(std::string(1, residue)) +
                                     "', which the alphabet does not allow");
    }
    const auto found =
        std::find(alphabet.tokens.begin(), alphabet.tokens.end(), std::string(1, residue));
    batch.tokens.push_back(found - alphabet.tokens.begin());
  }
  if (alphabet.append) {
    batch.tokens.push_back(*alphabet.append);
  }
  if (card.max_tokens && batch.tokens.size() > *card.max_tokens) {
    throw bad_golden(residues, "is longer than the card's max_tokens");
  }
  batch.rows = batch.used_rows = 1;
  batch.width = static_cast<std::uint32_t>(batch.tokens.size());
  batch.lengths = {batch.width};
  return batch;
}

HostBatch image_batch(const EncoderCard& card, std::string_view recipe) {
  constexpr std::string_view kPrefix = "pattern:";
  const auto number =
      recipe.starts_with(kPrefix) ? parse_count(recipe.substr(kPrefix.size())) : std::nullopt;
  if (!number || *number > 0xFFFF) {
    throw bad_golden(recipe, "is not a generated image; write pattern:N");
  }
  const auto n = static_cast<std::uint32_t>(*number);
  const std::uint32_t size = card.image.size;
  const std::size_t plane = std::size_t{size} * size;
  const bool channels_last = card.image.layout == "NHWC";
  HostBatch batch;
  batch.rows = batch.used_rows = 1;
  batch.lengths = {1};
  batch.pixels.resize(3 * plane);
  for (std::uint32_t channel = 0; channel < 3; ++channel) {
    for (std::uint32_t y = 0; y < size; ++y) {
      for (std::uint32_t x = 0; x < size; ++x) {
        const std::size_t place = std::size_t{y} * size + x;
        batch.pixels[channels_last ? place * 3 + channel : channel * plane + place] =
            pattern_pixel(channel, y, x, n);
      }
    }
  }
  return batch;
}

}  // namespace

std::uint8_t pattern_pixel(std::uint32_t channel, std::uint32_t y, std::uint32_t x,
                           std::uint32_t n) {
  const std::uint64_t value = std::uint64_t{x} * (7 + 2 * channel) +
                              std::uint64_t{y} * (13 + 3 * channel) + std::uint64_t{x} * y / 16 +
                              std::uint64_t{31} * n;
  return static_cast<std::uint8_t>(value % 256);
}

HostBatch golden_batch(const EncoderCard& card, std::string_view input) {
  return card.modality == Modality::kSequence ? sequence_batch(card, input)
                                              : image_batch(card, input);
}

}  // namespace longhaul::encode
