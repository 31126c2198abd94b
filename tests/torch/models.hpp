// The small archives of make_models.py, written once per build folder before the tests run.
#pragma once

#include <string>

#include "encode/batch.hpp"
#include "encode/encoder.hpp"

namespace longhaul::torch_room::test {

inline std::string model_path(const std::string& name) {
  return std::string(LONGHAUL_TEST_MODELS) + "/" + name + ".ts";
}

inline encode::EncoderOptions options_for(const std::string& name) {
  encode::EncoderOptions options;
  options.model_path = model_path(name);
  options.device = "cpu";
  options.threads = 1;
  return options;
}

// Residues 4 to 23 in an order of `seed`, between the prepended and the appended token, padded to
// `width`: row `i` is always the same record.
inline std::vector<std::int64_t> token_row(std::uint32_t seed, std::uint32_t residues,
                                           std::uint32_t width) {
  std::vector<std::int64_t> row{2};
  std::uint32_t state = seed * 2654435761U + 12345U;
  for (std::uint32_t i = 0; i < residues; ++i) {
    state = state * 1664525U + 1013904223U;
    row.push_back(4 + static_cast<std::int64_t>((state >> 16) % 20));
  }
  row.push_back(3);
  row.resize(width, 0);
  return row;
}

inline encode::HostBatch batch_of(const std::vector<std::uint32_t>& seeds, std::uint32_t width) {
  encode::HostBatch batch;
  batch.rows = batch.used_rows = static_cast<std::uint32_t>(seeds.size());
  batch.width = width;
  for (const std::uint32_t seed : seeds) {
    const std::uint32_t residues = width - 2 - seed % 7;
    const auto row = token_row(seed, residues, width);
    batch.tokens.insert(batch.tokens.end(), row.begin(), row.end());
    batch.lengths.push_back(residues + 2);
  }
  return batch;
}

}  // namespace longhaul::torch_room::test
