#include "session/decode_drift.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "device/device.hpp"
#include "input/source_identity.hpp"

namespace longhaul::session {
namespace {

constexpr std::uint32_t kCompared = 16;
constexpr std::uint32_t kLookedAt = 64;

constexpr double kLeastCosine = 0.999;  // less is warned about

std::string in_digits(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.5f", value);
  return text.data();
}

// 1 of two vectors without direction, 0 where one has none.
double cosine(std::span<const float> left, std::span<const float> right) {
  double product = 0;
  double left_square = 0;
  double right_square = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    product += double{left[i]} * double{right[i]};
    left_square += double{left[i]} * double{left[i]};
    right_square += double{right[i]} * double{right[i]};
  }
  if (left_square == 0 && right_square == 0) {
    return 1;
  }
  const double lengths = std::sqrt(left_square) * std::sqrt(right_square);
  return lengths > 0 ? product / lengths : 0;
}

class Comparison {
 public:
  explicit Comparison(const DriftParts& parts) : parts_(parts) {}

  nlohmann::json run() {
    while (looked_at_ < kLookedAt && cosines_.size() < kCompared && !no_memory_) {
      std::vector<prepare::Prepared> records = next_records();
      if (records.empty()) {
        break;
      }
      compare(records);
    }
    nlohmann::json report = {{"compared", cosines_.size()}, {"looked_at", looked_at_}};
    if (!cosines_.empty()) {
      double sum = 0;
      for (const double value : cosines_) {
        sum += value;
      }
      report["least_cosine"] = *std::min_element(cosines_.begin(), cosines_.end());
      report["mean_cosine"] = sum / static_cast<double>(cosines_.size());
    }
    if (no_memory_) {
      report["no_memory"] = true;
    }
    return report;
  }

 private:
  // Of a part, as many as are still to be compared.
  std::vector<prepare::Prepared> next_records() {
    const std::size_t wanted =
        std::min({std::size_t{std::max(parts_.rows, 1U)}, kCompared - cosines_.size(),
                  std::size_t{kLookedAt - looked_at_}});
    std::vector<prepare::Prepared> records;
    while (records.size() < wanted && looked_at_ < kLookedAt) {
      std::optional<Record> record = parts_.reader.next();
      if (!record) {
        break;
      }
      ++looked_at_;
      prepare::Prepared prepared = parts_.whole.measure(std::move(*record));
      if (!prepared.defect) {
        records.push_back(std::move(prepared));
      }
    }
    return records;
  }

  void compare(std::vector<prepare::Prepared>& records) {
    std::vector<prepare::Row> rows;
    for (prepare::Prepared& record : records) {
      rows.push_back({&record, 0});
    }
    const prepare::Assembled whole = parts_.whole.assemble(rows, 1, parts_.rows);
    const prepare::Assembled fast = parts_.fast.assemble(rows, 1, parts_.rows);
    if (whole.batch.pixels == fast.batch.pixels) {
      return;
    }
    try {
      const encode::EncodedBatch exact = parts_.encoder.encode(whole.batch);
      const encode::EncodedBatch near = parts_.encoder.encode(fast.batch);
      for (std::uint32_t row = 0; row < whole.accepted.size(); ++row) {
        const auto same =
            std::find(fast.accepted.begin(), fast.accepted.end(), whole.accepted[row]);
        if (same == fast.accepted.end()) {
          continue;  // another program has changed the file in between
        }
        const auto other = static_cast<std::uint32_t>(same - fast.accepted.begin());
        if (!same_pixels(whole.batch, row, fast.batch, other)) {
          add(exact, row, near, other);
        }
      }
    } catch (const DeviceOutOfMemory&) {
      no_memory_ = true;
    }
    if (no_memory_) {
      parts_.encoder.device().release_cache();
    }
  }

  static bool same_pixels(const encode::HostBatch& left, std::uint32_t row,
                          const encode::HostBatch& right, std::uint32_t other) {
    const std::size_t bytes = left.pixels.size() / left.rows;
    return std::memcmp(&left.pixels[row * bytes], &right.pixels[other * bytes], bytes) == 0;
  }

  // Of several outputs the one that moves most.
  void add(const encode::EncodedBatch& exact, std::uint32_t row, const encode::EncodedBatch& near,
           std::uint32_t other) {
    double least = 1;
    for (std::size_t i = 0; i < exact.blocks.size(); ++i) {
      least = std::min(least, cosine(exact.blocks[i].row(row), near.blocks[i].row(other)));
    }
    cosines_.push_back(least);
  }

  const DriftParts& parts_;
  std::uint32_t looked_at_ = 0;
  std::vector<double> cosines_;
  bool no_memory_ = false;
};

}  // namespace

nlohmann::json decode_drift(const DriftParts& parts) {
  return Comparison(parts).run();
}

std::string drift_text(const nlohmann::json& drift) {
  const auto compared = drift.at("compared").get<std::uint64_t>();
  const auto looked_at = drift.at("looked_at").get<std::uint64_t>();
  if (compared > 0) {
    return "least cosine " + in_digits(drift.at("least_cosine")) + ", mean " +
           in_digits(drift.at("mean_cosine")) + " with whole decoding, of " +
           format_count(compared) + (compared == 1 ? " image" : " images");
  }
  if (drift.contains("no_memory")) {
    return "not compared with whole decoding, for want of memory";
  }
  return looked_at == 0 ? "not compared with whole decoding: the input can be read once"
                        : "none of the first " + format_count(looked_at) +
                              " records is decoded at a smaller scale";
}

nlohmann::json measure_drift(const Host& host, const config::RunConfig& config,
                             const encode::EncoderCard& card, const SessionInput& input,
                             const Engine& engine) {
  nlohmann::json drift = {{"compared", 0}, {"looked_at", 0}};
  if (input::are_files(input.sources)) {
    const auto reader = host.workshop.make_reader(config, card, host.stop, nullptr);
    const auto make = [&](bool fast) {
      config::RunConfig asked = config;
      asked.fast_decode = fast;
      asked.skip_duplicates = SkipDuplicates::kOff;
      return host.workshop.make_preprocessor(asked, card, engine.choices.threads, {});
    };
    const auto whole = make(false);
    const auto fast = make(true);
    drift = decode_drift(
        {*reader, *whole, *fast, *engine.encoder, std::max(engine.pipeline.parts.rows(1), 1U)});
  }
  host.log.info("--fast-decode: " + drift_text(drift));
  if (drift.value("least_cosine", 1.0) < kLeastCosine) {
    host.log.warning("--fast-decode moves vectors as far as cosine " +
                     in_digits(drift.at("least_cosine")) +
                     " from those of whole images, on the first of this input");
  }
  return drift;
}

}  // namespace longhaul::session
