// The encoder: turns parts of batches into vectors on one device.
// One thread at a time; the thread that makes it uses it. encode() throws DeviceOutOfMemory when,
// and only when, a smaller batch could help; every other failure is an Error that ends the run.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "device/device.hpp"
#include "domain/output_spec.hpp"
#include "encode/batch.hpp"
#include "encode/card.hpp"
#include "plan/rows_policy.hpp"

namespace longhaul::encode {

// Settings that make the numbers, and the choices of the machine.
struct EncoderOptions {
  std::string model_path;
  std::string device = "auto";  // auto, cpu, cuda, cuda:N, mps
  std::optional<std::string> card_path;
  std::optional<std::string> model_sha256;  // refuse any other file
  Pooling pooling = Pooling::kMean;
  Normalize normalize = Normalize::kNone;
  Dtype dtype = Dtype::kFp32;
  std::vector<std::string> layers;  // of the card's outputs; none: its default
  bool tokens = false;              // the vectors of all residues of the first layer too
  std::uint32_t threads = 0;        // 0: as many as there are cores
  std::string cpu_kernels = "auto";
  std::string cpu_isa =
      "auto";  // of this program's own kernels: auto, or a name of kernels/isa.hpp
  std::string cpu_passes = "all";  // over the model's graph: all, none, or names
  // Choices an earlier session made (Encoder::choices()); they are taken over, nothing is probed.
  nlohmann::json choices;

  // One of these, where it is there.
  std::optional<std::string> chosen_before(const char* name) const {
    return choices.is_object() && choices.contains(name)
               ? std::optional(choices[name].get<std::string>())
               : std::nullopt;
  }
};

class Encoder {
 public:
  virtual ~Encoder() = default;

  // One for each part, in their order. Each part is computed in the shape it has, rows x width, on
  // its own: its bits do not depend on the others.
  virtual std::vector<EncodedBatch> encode(std::span<const HostBatch> parts) = 0;
  EncodedBatch encode(const HostBatch& part) {
    return std::move(encode(std::span(&part, 1)).front());
  }
  // What it gives of a part, in the order of EncodedBatch::blocks: pooled and normalised vectors,
  // and those of all residues. Their type in the files is not its affair.
  virtual std::vector<OutputSpec> outputs() const = 0;
  // How many parts are in the device's memory at the same time: computed side by side, or one
  // computed while the next is launched.
  virtual std::uint32_t concurrency() const { return 1; }
  // How many rows a part should have on this device. A run keeps it in its choices.
  virtual plan::RowsPolicy rows_policy() const = 0;
  virtual device::Device& device() = 0;
  // What was decided on this machine and must hold for a resume: kernels, threads...
  virtual nlohmann::json choices() const = 0;
  // For run.json: golden check, drift, parameters, versions.
  virtual nlohmann::json report() const = 0;
};

}  // namespace longhaul::encode
