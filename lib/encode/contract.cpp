#include "encode/contract.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.hpp"
#include "base/text.hpp"
#include "encode/model_checks.hpp"
#include "plan/window.hpp"

namespace longhaul::encode {
namespace {

using nlohmann::json;
using Vector = std::vector<float>;

// Tokens: so short that its part has neighbours, where that of the usual record is a row alone, and
// long enough for letters beside the special tokens.
constexpr std::uint32_t kShortRecord = 8;
constexpr std::uint32_t kUsualRecord = 128;
constexpr double kDriftAllowed = 4;
constexpr std::uint32_t kMostRows = 32;  // of a group: what more of them change is no other thing

// Not from the same seed as what stands beside it; and, of two rows too, of other lengths.
constexpr std::uint32_t kProbe = 1000;
constexpr std::uint32_t kNeighbours = 2001;
constexpr std::uint32_t kOtherNeighbours = 3003;

// A row's numbers in each output.
using Row = std::vector<Vector>;

Row row_of(const EncodedBatch& batch, std::uint32_t row) {
  Row numbers;
  for (const EmbeddingBlock& block : batch.blocks) {
    const std::span<const float> part = block.row(row);
    numbers.emplace_back(part.begin(), part.end());
  }
  return numbers;
}

bool same_bits(const Vector& left, const Vector& right) {
  return left.size() == right.size() &&
         std::memcmp(left.data(), right.data(), left.size() * sizeof(float)) == 0;
}

// In proportion to the values, where these exceed 1. Infinity where only one of two is a number.
double difference(const Vector& left, const Vector& right) {
  if (same_bits(left, right)) {
    return 0;
  }
  double greatest = 0;
  double scale = 1;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const double value = std::abs(double{left[i]} - double{right[i]});
    if (std::isnan(left[i]) != std::isnan(right[i])) {
      return std::numeric_limits<double>::infinity();
    }
    greatest = std::isnan(value) ? greatest : std::max(greatest, value);
    scale = std::max({scale, std::abs(double{left[i]}), std::abs(double{right[i]})});
  }
  return greatest / scale;
}

bool same_bits(const Row& left, const Row& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const Vector& a, const Vector& b) { return same_bits(a, b); });
}

// Of the output where it is greatest: large values of one say nothing of another.
double difference(const Row& left, const Row& right) {
  double greatest = 0;
  for (std::size_t output = 0; output < left.size(); ++output) {
    greatest = std::max(greatest, difference(left[output], right.at(output)));
  }
  return greatest;
}

struct Shape {
  std::uint32_t rows = 0;
  std::uint32_t width = 0;
};

class Check {
 public:
  Check(Encoder& encoder, const EncoderCard& card, const ContractSettings& settings)
      : encoder_(encoder), card_(card), settings_(settings) {}

  Contract run() {
    json shapes = json::array();
    for (Shape shape : wanted()) {
      if (auto tried = try_shape(shape)) {
        shapes.push_back(std::move(*tried));
      }
    }
    if (shapes.empty()) {
      verdict_ = "unchecked";
      contract_.exact = false;
      contract_.warnings.emplace_back(
          "no memory to check that vectors repeat: the output is marked as numeric");
    }
    contract_.report = {
        {"verdict", verdict_}, {"tolerance", settings_.tolerance}, {"shapes", std::move(shapes)}};
    return std::move(contract_);
  }

 private:
  std::vector<Shape> wanted() const {
    if (card_.modality == Modality::kImage) {
      return {{std::max(settings_.parts.rows(1), 2U), 1}};
    }
    std::vector<Shape> shapes;
    for (const std::uint32_t tokens : {kUsualRecord, kShortRecord}) {
      const std::uint32_t width = plan::rung_of(std::min(tokens, card_.max_tokens.value_or(tokens)),
                                                card_.max_tokens, settings_.parts.rungs);
      const auto affordable = static_cast<std::uint32_t>(
          std::clamp(settings_.budget / plan::cost_per_row(width), 1.0, 1e9));
      const std::uint32_t rows = rows_of_part(width);
      // One row has no neighbours, so two are tried where that is more than a part may cost now.
      shapes.push_back({std::min(rows, std::max(affordable, 2U)), width});
    }
    if (shapes.front().width == shapes.back().width) {
      shapes.pop_back();
    }
    return shapes;
  }

  std::uint32_t rows_of_part(std::uint32_t width) const {
    if (const std::uint32_t rows = settings_.parts.rows(width); rows > 0) {
      return rows;
    }
    return std::clamp(settings_.group_rows, 2U, kMostRows);
  }

  // Halves the rows until they fit; nothing where not one does.
  std::optional<json> try_shape(Shape shape) {
    for (; shape.rows > 0; shape.rows /= 2) {
      try {
        return compare(shape);
      } catch (const DeviceOutOfMemory&) {
      }
      encoder_.device().release_cache();  // out of the handler: what the call held is free
    }
    return std::nullopt;
  }

  HostBatch part(Shape shape, std::uint32_t neighbours,
                 std::initializer_list<std::uint32_t> probes) const {
    std::vector<std::uint32_t> seeds;
    for (std::uint32_t row = 0; row < shape.rows; ++row) {
      const bool is_probe = std::find(probes.begin(), probes.end(), row) != probes.end();
      seeds.push_back(is_probe ? kProbe : neighbours + row);
    }
    return probe_batch(card_, shape.width, seeds);
  }

  json compare(const Shape& shape) {
    const std::uint32_t last = shape.rows - 1;
    const std::uint32_t middle = shape.rows / 2;
    const std::vector<HostBatch> parts = {part(shape, kNeighbours, {0, last}),
                                          part(shape, kOtherNeighbours, {middle})};
    const std::vector<EncodedBatch> given = encode(parts);
    const Row first = row_of(given[0], 0);
    const std::vector<Row> others = {row_of(given[0], last), row_of(given[1], middle)};
    json report = {{"rows", shape.rows}, {"width", shape.width}};
    double apart = 0;
    bool bits = true;
    for (const Row& other : others) {
      apart = std::max(apart, difference(first, other));
      bits = bits && same_bits(first, other);
    }
    double repeat = 0;
    if (!bits) {
      const EncodedBatch again = encoder_.encode(parts[0]);
      repeat = difference(first, row_of(again, 0));
      judge(repeat, apart);
    }
    report["repeat"] = repeat;
    report["neighbours"] = apart;
    if (shape.width >= kUsualRecord || card_.modality == Modality::kImage) {
      report["other_rows"] = in_other_rows(shape, first);
    }
    return report;
  }

  // Together, where the threads and the budget allow it.
  std::vector<EncodedBatch> encode(std::span<const HostBatch> parts) {
    if (cost_of(parts[0]) + cost_of(parts[1]) <= settings_.budget) {
      return encoder_.encode(parts);
    }
    return {encoder_.encode(parts[0]), encoder_.encode(parts[1])};
  }

  json in_other_rows(const Shape& shape, const Row& expected) {
    const std::uint32_t rows = shape.rows == 1 ? 2 : 1;
    const EncodedBatch given = encoder_.encode(part({rows, shape.width}, kNeighbours, {0}));
    return {{"rows", rows}, {"difference", difference(expected, row_of(given, 0))}};
  }

  void judge(double repeat, double apart) {
    contract_.exact = false;
    if (repeat > settings_.tolerance) {
      throw not_repeatable(repeat);
    }
    if (apart > settings_.tolerance) {
      if (!settings_.allow_batch_dependent) {
        throw Error(ExitCode::kBadData,
                    "a record's vector depends on the other records of its batch: it differs by " +
                        short_number(apart) + " beside others",
                    "export the model in eval mode; or go on with --allow-batch-dependent, which "
                    "marks the output as numeric");
      }
      verdict_ = "batch_dependent";
      contract_.warnings.push_back("vectors depend on the other records of their batch (by " +
                                   short_number(apart) + "), which was allowed");
    } else if (verdict_ == "exact") {
      verdict_ = "close";
      contract_.warnings.push_back("the same record gives other low bits each time (by " +
                                   short_number(std::max(apart, repeat)) +
                                   "): the output is marked as numeric");
    }
  }

  Encoder& encoder_;
  const EncoderCard& card_;
  const ContractSettings& settings_;
  std::string verdict_ = "exact";
  Contract contract_;
};

}  // namespace

Contract check_contract(Encoder& encoder, const EncoderCard& card,
                        const ContractSettings& settings) {
  return Check(encoder, card, settings).run();
}

double contract_tolerance(const json& encoder_report) {
  const json drift = encoder_report.value("drift", json::object());
  return drift.is_object() && drift.contains("relative")
             ? kDriftAllowed *
                   std::max(drift.at("relative").get<double>(), drift.value("residues", 0.0))
             : kExactTolerance;
}

}  // namespace longhaul::encode
