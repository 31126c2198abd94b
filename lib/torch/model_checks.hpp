// What is checked before anything is embedded: that the model keeps its card's contract at two
// shapes, that golden vectors come out, how far bf16 and fp16 drift from float32.
// The encoding thread. A check that fails is Error(kBadData).
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "encode/batch.hpp"
#include "encode/card.hpp"

namespace longhaul {

// Batches of two shapes, of no record's content: two rows, and three rows of another width.
std::vector<HostBatch> contract_batches(const EncoderCard& card);

// `rows` generated images.
HostBatch pixel_batch(const EncoderCard& card, std::uint32_t rows);

// Embeds as the card says: its pooling and normalisation.
using EmbedAsCard = std::function<EmbeddingBlock(const HostBatch&)>;

// {"checked": 3, "greatest_difference": 2e-7}, or {"checked": 0} for a card without golden vectors.
nlohmann::json check_golden(const EncoderCard& card, const EmbedAsCard& embed,
                            const std::string& what);

// Vectors of the golden inputs, or of the contract's batches when there are none.
std::vector<float> sample_vectors(const EncoderCard& card, const EmbedAsCard& embed);

// {"least_cosine": 0.99998, "greatest_difference": 0.01}. Below 0.999: Error(kBadData).
nlohmann::json measure_drift(const EncoderCard& card, const std::vector<float>& exact,
                             const std::vector<float>& drifted, Dtype dtype);

}  // namespace longhaul
