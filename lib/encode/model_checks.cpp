#include "encode/model_checks.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/text.hpp"
#include "encode/golden.hpp"

namespace longhaul::encode {
namespace {

using nlohmann::json;

constexpr double kLeastCosine = 0.999;

// Letters that follow from the seed and the column; lengths differ from row to row, and the padded
// length is that of the rung.
HostBatch token_batch(const EncoderCard& card, std::uint32_t width,
                      std::span<const std::uint32_t> seeds) {
  const Alphabet& alphabet = card.alphabet;
  HostBatch batch;
  batch.rows = batch.used_rows = static_cast<std::uint32_t>(seeds.size());
  batch.width = width;
  for (const std::uint32_t seed : seeds) {
    const std::size_t start = batch.tokens.size();
    const std::uint32_t length = std::max(std::min(width, 4U), width - std::min(width, seed % 5));
    batch.lengths.push_back(length);
    std::uint64_t state = (seed + 1) * 0x9E3779B97F4A7C15ULL;
    for (std::uint32_t column = 0; column < width; ++column) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      const char letter = alphabet.allowed[(state >> 33) % alphabet.allowed.size()];
      const auto token =
          std::find(alphabet.tokens.begin(), alphabet.tokens.end(), std::string(1, letter)) -
          alphabet.tokens.begin();
      batch.tokens.push_back(column < length ? token : alphabet.pad);
    }
    if (alphabet.prepend) {
      batch.tokens[start] = *alphabet.prepend;
    }
    if (alphabet.append) {
      batch.tokens[start + length - 1] = *alphabet.append;
    }
  }
  return batch;
}

HostBatch pixel_batch(const EncoderCard& card, std::span<const std::uint32_t> seeds) {
  HostBatch batch;
  batch.rows = batch.used_rows = static_cast<std::uint32_t>(seeds.size());
  for (const std::uint32_t seed : seeds) {
    const HostBatch image = golden_batch(card, "pattern:" + std::to_string(seed));
    batch.pixels.insert(batch.pixels.end(), image.pixels.begin(), image.pixels.end());
    batch.lengths.push_back(1);
  }
  return batch;
}

double greatest_difference(std::span<const float> left, std::span<const float> right) {
  double greatest = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const double difference =
        std::abs(static_cast<double>(left[i]) - static_cast<double>(right[i]));
    if (std::isnan(difference)) {
      return difference;
    }
    greatest = std::max(greatest, difference);
  }
  return greatest;
}

double cosine(std::span<const float> left, std::span<const float> right) {
  double dot = 0;
  double left_squares = 0;
  double right_squares = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const auto a = static_cast<double>(left[i]);
    const auto b = static_cast<double>(right[i]);
    dot += a * b;
    left_squares += a * a;
    right_squares += b * b;
  }
  return dot / std::sqrt(left_squares * right_squares);
}

}  // namespace

HostBatch probe_batch(const EncoderCard& card, std::uint32_t width,
                      std::span<const std::uint32_t> seeds) {
  return card.modality == Modality::kImage ? pixel_batch(card, seeds)
                                           : token_batch(card, width, seeds);
}

std::vector<HostBatch> shape_batches(const EncoderCard& card) {
  const std::uint32_t most = card.max_tokens.value_or(32);
  return {probe_batch(card, std::min(most, 8U), std::array{0U, 1U}),
          probe_batch(card, std::min(most, 16U), std::array{0U, 1U, 2U})};
}

Error not_repeatable(double difference) {
  return {ExitCode::kBadData,
          "the same record gives two vectors, which differ by " + short_number(difference) +
              ": the model draws random numbers or keeps a state, as in train mode",
          "export it again after model.eval()"};
}

json check_golden(const EncoderCard& card, const EmbedAsCard& embed, const std::string& what) {
  double greatest = 0;
  std::string input;  // of `given`: those of one input stand together
  EncodedBatch given;
  for (std::size_t i = 0; i < card.golden.size(); ++i) {
    const GoldenVector& golden = card.golden[i];
    if (i == 0 || golden.input != input) {
      input = golden.input;
      given = embed(golden_batch(card, input));
    }
    const std::vector<float>& values = given.blocks.at(golden.output).values;
    const double difference = greatest_difference(values, golden.vector);
    if (!(difference <= golden.tolerance)) {
      const EncodedBatch again = embed(golden_batch(card, input));
      const double repeated = greatest_difference(again.blocks.at(golden.output).values, values);
      if (repeated > golden.tolerance) {
        throw not_repeatable(repeated);
      }
      const std::string& name = card.outputs[golden.output].name;
      throw Error(ExitCode::kBadData,
                  "golden vector " + std::to_string(i + 1) + " of " +
                      std::to_string(card.golden.size()) + " ('" + printable(input, 24) + "'" +
                      (name.empty() ? "" : ", output " + name) + ") is missed by " +
                      short_number(difference) + " " + what + "; the card allows " +
                      short_number(golden.tolerance),
                  "the model file is damaged or not the card's: export or copy it again");
    }
    greatest = std::max(greatest, difference);
  }
  json report = {{"checked", card.golden.size()}};
  if (!card.golden.empty()) {
    report["greatest_difference"] = greatest;
  }
  return report;
}

// The first of these that no golden vector is of; empty where there is none.
std::string unchecked_output(const EncoderCard& card, const std::vector<CardOutput>& chosen) {
  for (const CardOutput& output : chosen) {
    if (std::none_of(card.golden.begin(), card.golden.end(), [&](const auto& golden) {
          return card.outputs[golden.output].name == output.name;
        })) {
      return output.name;
    }
  }
  return "";
}

std::vector<std::vector<float>> sample_vectors(const EncoderCard& card, const EmbedAsCard& embed) {
  std::vector<HostBatch> batches;
  std::string input;
  for (const GoldenVector& golden : card.golden) {
    if (batches.empty() || golden.input != input) {
      input = golden.input;
      batches.push_back(golden_batch(card, input));
    }
  }
  if (batches.empty()) {
    batches = shape_batches(card);
  }
  std::vector<std::vector<float>> vectors;
  for (const HostBatch& batch : batches) {
    const EncodedBatch given = embed(batch);
    for (const EmbeddingBlock& block : given.blocks) {
      for (std::uint32_t row = 0; row < block.rows; ++row) {
        const std::span<const float> vector = block.row(row);
        vectors.emplace_back(vector.begin(), vector.end());
      }
    }
  }
  return vectors;
}

json measure_drift(const std::vector<std::vector<float>>& exact,
                   const std::vector<std::vector<float>>& drifted, Dtype dtype) {
  double least = 1;
  double greatest = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double value = cosine(exact[i], drifted.at(i));
    least = std::isnan(value) || std::isnan(least) ? std::nan("") : std::min(least, value);
    greatest = std::max(greatest, greatest_difference(exact[i], drifted[i]));
  }
  if (!(least >= kLeastCosine)) {
    throw Error(ExitCode::kBadData,
                "at --dtype " + std::string(to_string(dtype)) +
                    " the model's vectors drift to cosine " + short_number(least) +
                    " of float32; at least 0.999 is asked",
                "use --dtype fp32" + std::string(dtype == Dtype::kFp16 ? " or bf16" : ""));
  }
  return {{"vectors", exact.size()},
          {"least_cosine", least},
          {"greatest_difference", greatest},
          {"relative", greatest_drift(exact, drifted)}};
}

double greatest_drift(const std::vector<std::vector<float>>& exact,
                      const std::vector<std::vector<float>>& drifted) {
  double greatest = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    double scale = 1;
    for (const float value : exact[i]) {
      scale = std::max(scale, std::abs(double{value}));
    }
    greatest = std::max(greatest, greatest_difference(exact[i], drifted.at(i)) / scale);
  }
  return greatest;
}

}  // namespace longhaul::encode
