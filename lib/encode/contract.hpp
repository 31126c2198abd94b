// Whether a model keeps what every output claims: that a record's vector is its own. Tried on the
// spot, with the run's encoder, precision and kernels, in the shapes of its parts.
// The encoding thread. A model that draws random numbers or keeps a state is Error(kBadData), and
// so is one whose vectors depend on their neighbours, unless that is allowed.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "encode/encoder.hpp"

namespace longhaul::encode {

// The greatest difference of a component that rounding explains at float32, for vectors whose
// components are about 1; in proportion for larger ones.
constexpr double kExactTolerance = 2e-5;

struct ContractSettings {
  plan::RowsPolicy parts;
  std::uint32_t group_rows = 0;        // of a batch, where parts have no rows of their own
  double tolerance = kExactTolerance;  // see contract_tolerance()
  // Cost of what may be computed at a time.
  double budget = std::numeric_limits<double>::infinity();
  bool allow_batch_dependent = false;
};

struct Contract {
  bool exact = true;  // every comparison gave the same bits
  std::vector<std::string> warnings;
  // For run.json: {"verdict": "exact", "tolerance": 2e-5, "shapes": [{"rows": 8, "width": 128,
  // "repeat": 0.0, "neighbours": 0.0, "other_rows": {"rows": 1, "difference": 3e-6}}]}. Verdicts:
  // exact, close (differences below the tolerance), batch_dependent, unchecked (no memory).
  nlohmann::json report;
};

// Sequences at the shortest padded length and near 128 tokens, images in one: the same record
// twice in one part, and beside other neighbours in another; where these differ, the same part
// again. Two rows at least where records are computed together at all. What another number of rows
// changes is only recorded.
Contract check_contract(Encoder& encoder, const EncoderCard& card,
                        const ContractSettings& settings);

// kExactTolerance at float32, else four times the relative drift in an encoder's report(), of
// vectors or residues.
double contract_tolerance(const nlohmann::json& encoder_report);

}  // namespace longhaul::encode
