// Whether the vectors of two outputs may be compared with each other: of one model, made with the
// settings that make their numbers. How records were read does not count, nor what else a run
// wrote. Changes nothing. Errors: kBadData names the first that differs, with both values.
#pragma once

#include <string>

#include "store/output_reader.hpp"

namespace longhaul::session {

// Finished outputs, and an array of each. What it gives is to be said: a difference that changes
// low digits only; empty where there is none.
std::string require_same_vectors(const store::OutputReader& a, const OutputSpec& array_a,
                                 const store::OutputReader& b, const OutputSpec& array_b);

}  // namespace longhaul::session
