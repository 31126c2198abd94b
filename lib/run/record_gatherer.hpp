// Makes one row of a long record's segments: their residues, each from the segment it is taken
// from, and the mean of all, summed in double, segment by segment. So its numbers depend on its
// segments alone, whatever batches they came in: a record may begin in one batch and end in
// another. A record one of whose segments has no numbers has none.
// One thread; what it holds between two batches is at most one record's numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "domain/numbers.hpp"
#include "domain/output_spec.hpp"
#include "prepare/preprocessor.hpp"
#include "run/batch_encoder.hpp"

namespace longhaul::run {

class RecordGatherer {
 public:
  // Of what the encoder's outputs() are.
  RecordGatherer(std::vector<OutputSpec> outputs, Normalize normalize)
      : outputs_(std::move(outputs)), normalize_(normalize) {}

  // `rows`: what the result's rows are of, in the order of segments. Leaves a row for each record
  // that is complete now, its failures among them, and returns the index in `rows` of each one's
  // last row.
  std::vector<std::uint32_t> gather(std::span<const prepare::Row> rows,
                                    BatchEncoder::Result& result);

 private:
  struct Pending {
    std::vector<std::vector<double>> sums;  // by output; empty of one that is not pooled
    std::vector<float> residues;
    std::optional<Defect> defect;  // the first segment's that has one
  };

  void begin(const prepare::Prepared& record);
  void add(const encode::EncodedBatch& part, std::uint32_t row);
  encode::EncodedBatch finish(const prepare::Prepared& record);

  const std::vector<OutputSpec> outputs_;
  const Normalize normalize_;
  Pending pending_;
};

}  // namespace longhaul::run
