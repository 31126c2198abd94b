// An encoder without a model: a row's vector is a pure function of its tokens, or pixels, and, as
// with a real one, of its padded length; with rows_matter also of the number of rows. All parts of
// a call are in its FakeDevice's memory at a time, which decides what fits. It checks what it is
// given: a batch that breaks the contract is Error(kInternal). One thread, like any encoder.
//
// Its "model file" is JSON. All keys but "fake" are optional; those of the device are the fields of
// FakeDeviceSettings.
//   {"fake": true, "dimension": 8, "max_tokens": 1024, "device": "cpu",
//    "fail_at": [3], "fail_times": 1, "capacity_cost": 4000, "capacity_rows": 4,
//    "nan_every": 50,         about one record in so many gives NaN, always
//    "nan_in_company": 50,    the same, but alone its vector is finite
//    "nan_in_half": 50,       the same, but in float32 its vector is finite
//    "huge_every": 50,        the same, but too great for fp16
//    "rows_per_second": 1000, "error_at": 7, "kill_at": 7,
//    "width_matters": true,   a vector depends on its padded length
//    "rows_matter": false,    and on the rows of its part
//    "part_tokens": 0,        tokens of a part; 0: every part has "part_rows" rows
//    "part_rows": 1,
//    "layers": ["early"],     other vectors beside the first one: "embeddings.early"
//    "tokens": true,          and a vector for each residue
//    "random": false, "neighbours_matter": false}   what no model may do
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "encode/model_loader.hpp"
#include "fakes/fake_device.hpp"

namespace longhaul::fakes {

struct FakeEncoderSettings {
  std::uint32_t dimension = 8;
  std::uint64_t nan_every = 0;            // 0: never
  std::uint64_t nan_in_company = 0;       // 0: never
  std::uint64_t nan_in_half = 0;          // 0: never
  std::uint64_t huge_every = 0;           // 0: never
  double rows_per_second = 0;             // 0: as fast as it goes
  std::optional<std::uint64_t> error_at;  // this call fails for good
  std::optional<std::uint64_t> hang_at;   // this call takes a minute
  std::optional<std::uint64_t> kill_at;   // this call kills the process, as the kernel would
  // In this call memory runs out in a thread where nothing catches it.
  std::optional<std::uint64_t> thread_out_of_memory_at;
  bool width_matters = true;
  bool rows_matter = false;
  std::uint64_t part_tokens = 0;
  std::uint32_t part_rows = 1;
  std::string first_layer;          // the name of what "embeddings" is
  std::string default_layer;        // whose numbers are those of vector_of()
  std::vector<std::string> layers;  // beside the first
  bool tokens = false;
  bool random = false;
  bool neighbours_matter = false;
  FakeDeviceSettings device;
};

FakeEncoderSettings fake_encoder_settings(const nlohmann::json& model);

class FakeEncoder : public encode::Encoder {
 public:
  explicit FakeEncoder(FakeEncoderSettings settings, Pooling pooling = Pooling::kMean,
                       Normalize normalize = Normalize::kNone);

  using encode::Encoder::encode;
  std::vector<encode::EncodedBatch> encode(std::span<const encode::HostBatch> parts) override;
  std::vector<OutputSpec> outputs() const override;
  FakeDevice& device() override { return device_; }
  std::uint32_t concurrency() const override { return std::numeric_limits<std::uint32_t>::max(); }
  plan::RowsPolicy rows_policy() const override {
    return {.part_tokens = settings_.part_tokens, .rows_fixed = settings_.part_rows};
  }
  nlohmann::json choices() const override;
  nlohmann::json report() const override;

  // What the row must be in the first output: `tokens` with special ones and without padding.
  std::vector<float> vector_of(std::span<const std::int64_t> tokens, std::uint32_t width,
                               std::uint32_t rows) const;

 private:
  void check(const encode::HostBatch& batch) const;
  void misbehave();
  // Of a row that may be a segment: its own residues, which are the row's vector plus their place,
  // and their sum.
  static void take_own(const encode::Columns& own, const OutputSpec& output,
                       std::vector<float>& numbers, std::vector<double>& sums);
  void misbehave(const encode::HostBatch& batch, std::span<float> values);
  encode::EncodedBatch encode_part(const encode::HostBatch& batch);
  // The row's numbers in any output: those of vector_of(), then, of other outputs, others.
  std::vector<float> numbers_of(const OutputSpec& output, std::span<const std::int64_t> tokens,
                                std::uint32_t width, std::uint32_t rows) const;

  const FakeEncoderSettings settings_;
  const Pooling pooling_;
  const Normalize normalize_;
  FakeDevice device_;
  std::uint64_t random_ = 1;
};

// The card of a fake model: its own under "card", else a sequence card with ESM's alphabet.
std::string fake_card_text(const nlohmann::json& model);
nlohmann::json read_fake_model(const std::string& path);  // Error(kBadData) when it is none

// In the program each encoder is checked by a few calls before its run: the calls that the model
// numbers are those of the run.
std::unique_ptr<encode::Encoder> make_fake_encoder(const encode::EncoderOptions& options, Log& log);

// Reads fake models and makes their encoders. A file that is no JSON is judged as a real model is.
encode::ModelLoader fake_models();

}  // namespace longhaul::fakes
