// One output of an encoder, as an output directory keeps it: the pooled vector of each record, of
// one layer or another, or the vectors of all its residues.
// Values; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "domain/numbers.hpp"

namespace longhaul {

enum class ArrayKind : std::uint8_t { kVector, kTokens };
template <>
struct Words<ArrayKind> {
  static constexpr Word<ArrayKind> all[] = {{"vector", ArrayKind::kVector},
                                            {"tokens", ArrayKind::kTokens}};
};

struct OutputSpec {
  std::string name = "embeddings";  // also "embeddings.LAYER", "tokens"; its file is NAME.npy
  ArrayKind kind = ArrayKind::kVector;
  std::uint32_t dimension = 0;
  OutputDtype dtype = OutputDtype::kFp32;
  friend bool operator==(const OutputSpec&, const OutputSpec&) = default;
};

// Of one vector, as it is stored.
constexpr std::uint64_t vector_bytes(const OutputSpec& output) {
  return std::uint64_t{output.dimension} * (output.dtype == OutputDtype::kFp32 ? 4 : 2);
}

}  // namespace longhaul
