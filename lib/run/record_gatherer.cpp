#include "run/record_gatherer.hpp"

#include <algorithm>
#include <utility>

#include "encode/pooling.hpp"

namespace longhaul::run {

std::vector<std::uint32_t> RecordGatherer::gather(std::span<const prepare::Row> rows,
                                                  BatchEncoder::Result& result) {
  std::vector<std::uint32_t> complete;
  std::vector<BatchEncoder::Failure> failures;
  auto failure = result.failures.begin();
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    const prepare::Row& row = rows[i];
    const std::uint32_t segments = row.prepared->segments;
    const auto place = static_cast<std::uint32_t>(complete.size());
    std::optional<Defect> defect;
    if (failure != result.failures.end() && failure->row == i) {
      defect = std::move(failure++->defect);
    }
    if (segments == 0) {
      result.rows.move(i, place);
    } else {
      if (row.segment == 0) {
        begin(*row.prepared);
      }
      if (defect && !pending_.defect) {
        defect->message = "window " + std::to_string(row.segment + 1) + " of " +
                          std::to_string(segments) + ": " + defect->message;
        pending_.defect = std::move(defect);
      } else if (!pending_.defect) {
        add(result.rows.part_of(i), result.rows.row_in_part(i));
      }
      if (row.segment + 1 < segments) {
        continue;
      }
      defect = std::exchange(pending_.defect, std::nullopt);
      if (!defect) {
        result.rows.put(place, finish(*row.prepared));
      }
    }
    if (defect) {
      failures.push_back({place, std::move(*defect)});
    }
    complete.push_back(i);
  }
  result.rows.shrink(static_cast<std::uint32_t>(complete.size()));
  result.failures = std::move(failures);
  result.stayed_not_finite = static_cast<std::uint64_t>(
      std::count_if(result.failures.begin(), result.failures.end(),
                    [](const auto& failed) { return failed.defect.reason == Reason::kNotFinite; }));
  return complete;
}

void RecordGatherer::begin(const prepare::Prepared& record) {
  pending_ = {};
  for (const OutputSpec& output : outputs_) {
    const bool tokens = output.kind == ArrayKind::kTokens;
    pending_.sums.emplace_back(tokens ? 0 : output.dimension);
    if (tokens) {
      pending_.residues.reserve(std::size_t{record.length} * output.dimension);
    }
  }
}

void RecordGatherer::add(const encode::EncodedBatch& part, std::uint32_t row) {
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const encode::EmbeddingBlock& block = part.blocks[i];
    if (outputs_[i].kind == ArrayKind::kTokens) {
      const std::span<const float> own = block.row(row);
      pending_.residues.insert(pending_.residues.end(), own.begin(), own.end());
      continue;
    }
    std::vector<double>& sums = pending_.sums[i];
    const double* of_row = block.sums.data() + std::size_t{row} * block.dimension;
    for (std::size_t d = 0; d < sums.size(); ++d) {
      sums[d] += of_row[d];
    }
  }
}

encode::EncodedBatch RecordGatherer::finish(const prepare::Prepared& record) {
  encode::EncodedBatch gathered;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    encode::EmbeddingBlock& block = gathered.blocks.emplace_back();
    block.rows = 1;
    block.dimension = outputs_[i].dimension;
    if (outputs_[i].kind == ArrayKind::kTokens) {
      block.values = std::move(pending_.residues);
      block.firsts = {0, record.length};
      continue;
    }
    for (const double sum : pending_.sums[i]) {
      block.values.push_back(static_cast<float>(sum / record.length));
    }
    if (normalize_ == Normalize::kL2) {
      encode::normalize_rows(block.values, block.dimension);
    }
  }
  pending_ = {};
  return gathered;
}

}  // namespace longhaul::run
