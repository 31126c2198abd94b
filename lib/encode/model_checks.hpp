// What is checked while an encoder is made: that golden vectors come out, and how far bf16 and fp16
// drift from float32; and the generated records that this and the contract are tried with.
// The encoding thread. A check that fails is Error(kBadData).
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "encode/batch.hpp"
#include "encode/card.hpp"

namespace longhaul::encode {

// A generated record for each seed, the same for the same seed: sequences of up to `width` tokens
// padded to it, or images.
HostBatch probe_batch(const EncoderCard& card, std::uint32_t width,
                      std::span<const std::uint32_t> seeds);

// Two rows, and three rows of another width.
std::vector<HostBatch> shape_batches(const EncoderCard& card);

// Two computations of one record were apart.
Error not_repeatable(double difference);

// Embeds as the card says, with its pooling and normalisation: a block of vectors for each output.
using EmbedAsCard = std::function<EncodedBatch(const HostBatch&)>;

// {"checked": 3, "greatest_difference": 2e-7}, or {"checked": 0} for a card without golden vectors.
// `embed` gives all outputs of the card.
nlohmann::json check_golden(const EncoderCard& card, const EmbedAsCard& embed,
                            const std::string& what);

// The name of the first of these outputs that no golden vector is of; empty where each has one.
std::string unchecked_output(const EncoderCard& card, const std::vector<CardOutput>& chosen);

// Vectors of the golden inputs, or of the contract's batches when there are none, of each output
// that `embed` gives.
std::vector<std::vector<float>> sample_vectors(const EncoderCard& card, const EmbedAsCard& embed);

// {"vectors": 3, "least_cosine": 0.99998, "greatest_difference": 0.01, "relative": 0.004}, the last
// by greatest_drift(). Below a cosine of 0.999: Error(kBadData).
nlohmann::json measure_drift(const std::vector<std::vector<float>>& exact,
                             const std::vector<std::vector<float>>& drifted, Dtype dtype);

// The greatest difference of a component, in proportion to its record's values where these exceed
// 1: what is allowed of residues, whose drift no mean evens out.
double greatest_drift(const std::vector<std::vector<float>>& exact,
                      const std::vector<std::vector<float>>& drifted);

}  // namespace longhaul::encode
