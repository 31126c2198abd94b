#include "torch/encoder/torchscript_encoder.hpp"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <torch/script.h>
#include <torch/version.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.hpp"
#include "base/start_thread.hpp"
#include "base/text.hpp"
#include "encode/model_checks.hpp"
#include "encode/outputs.hpp"
#include "torch/device/open_device.hpp"
#include "torch/encoder/compute_part.hpp"
#include "torch/encoder/convert_dtype.hpp"
#include "torch/encoder/encoding_threads.hpp"
#include "torch/encoder/parts_in_flight.hpp"
#include "torch/encoder/script_program.hpp"
#include "torch/encoder/tensors.hpp"
#include "torch/graph/fuse_graph.hpp"
#include "torch/graph/isa_choice.hpp"
#include "torch/graph/kernel_choice.hpp"
#include "torch/process/torch_errors.hpp"

namespace longhaul::torch_room {
namespace {

using nlohmann::json;

// Float32 means float32, and the same kernels each time.
void set_up_numerics() {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(false);
  context.setAllowTF32CuDNN(false);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
}

// All digits that tell two cosines near 1 apart.
std::string number_text(double cosine) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.6f", cosine);
  return text.data();
}

class TorchScriptEncoder : public encode::Encoder {
 public:
  TorchScriptEncoder(encode::ModelFile model, const encode::EncoderOptions& options, Log& log);
  ~TorchScriptEncoder() override {
    const LiveBytesGuard counted(live_);
    program_.reset();
  }
  TorchScriptEncoder(const TorchScriptEncoder&) = delete;
  TorchScriptEncoder& operator=(const TorchScriptEncoder&) = delete;

  using encode::Encoder::encode;
  std::vector<encode::EncodedBatch> encode(std::span<const encode::HostBatch> parts) override;
  std::vector<OutputSpec> outputs() const override {
    return encode::outputs_of(model_.card, options_);
  }
  device::Device& device() override { return *device_; }
  std::uint32_t concurrency() const override {
    return threads_ ? threads_->count() : lanes_ ? kPartsInFlight : 1;
  }
  plan::RowsPolicy rows_policy() const override;
  json choices() const override { return choices_; }
  json report() const override { return report_; }

 private:
  void load();
  void choose_cpu_kernels();
  InputSizes convolution_sizes();
  std::vector<at::Tensor> inputs_of(const encode::HostBatch& batch, Dtype dtype) {
    PlainCopies copies(device_->torch());
    return input_tensors(model_.card, batch, copies, dtype);
  }
  std::vector<encode::EncodedBatch> embed(std::span<const encode::HostBatch> parts,
                                          const Wanted& wanted);
  encode::EncodedBatch embed(const encode::HostBatch& part, const Wanted& wanted) {
    return std::move(embed(std::span(&part, 1), wanted).front());
  }
  void check_shapes(Dtype dtype);

  encode::ModelFile model_;
  const encode::EncoderOptions options_;
  const std::vector<encode::CardOutput> chosen_;                     // of the card's outputs
  std::shared_ptr<LiveBytes> live_ = std::make_shared<LiveBytes>();  // shared with device_
  std::unique_ptr<TorchDevice> device_;
  std::unique_ptr<Lanes> lanes_;  // of a device that has them
  std::unique_ptr<ScriptProgram> program_;
  std::optional<EncodingThreads> threads_;
  std::optional<double> slowdown_;  // of a half type without native support, against fp32
  json choices_;
  json report_;
};

TorchScriptEncoder::TorchScriptEncoder(encode::ModelFile model,
                                       const encode::EncoderOptions& options, Log& log)
    : model_(std::move(model)),
      options_(options),
      chosen_(encode::chosen_outputs(model_.card, options)),
      device_(open_torch_device(options.device, live_)) {
  const encode::EncoderCard& card = model_.card;
  const bool tokens = std::any_of(chosen_.begin(), chosen_.end(), [](const auto& output) {
    return output.kind == OutputKind::kTokens;
  });
  if (options_.pooling == Pooling::kCls && tokens && !card.alphabet.prepend) {
    throw Error(ExitCode::kUsage, "--pooling cls, but the model prepends no token",
                "choose mean or max");
  }
  set_up_numerics();
  if (options.threads > 0) {
    require_threads(2 * (options.threads - 1));  // OpenMP's and LibTorch's, beside this one
    at::set_num_threads(static_cast<int>(options.threads));
  }
  load();
  // A program that would not freeze may change itself as it runs.
  if (device_->kind() == device::DeviceKind::kCpu && program_->frozen()) {
    threads_.emplace(static_cast<std::uint32_t>(at::get_num_threads()));
  }
  if (report_.contains("kernels")) {
    log.debug("CPU kernels: " + choices_["kernels"].get<std::string>());
  }
  if (report_.contains("drift")) {
    const json& drift = report_["drift"];
    log.info(std::string(to_string(options_.dtype)) + " drifts from float32: least cosine " +
             number_text(drift["least_cosine"]) + ", greatest difference " +
             short_number(drift["greatest_difference"]) + " (" + drift["vectors"].dump() +
             " vectors)");
  }
  if (slowdown_ && *slowdown_ > 1) {
    log.warning("this processor has no instructions for " + std::string(to_string(options_.dtype)) +
                ": products take " + std::to_string(std::lround(*slowdown_ * 100)) +
                " % of their time in fp32");
  }
  if (card.golden.empty()) {
    log.warning(model_.card_source + ": no golden vectors, so the model's numbers are unchecked");
  } else if (const std::string unchecked = unchecked_output(card, chosen_); !unchecked.empty()) {
    log.warning(model_.card_source + ": no golden vectors of output " + unchecked +
                ", so its numbers are unchecked");
  }
}

void TorchScriptEncoder::load() {
  const encode::EncoderCard& card = model_.card;
  const c10::Device device = device_->torch();
  const ComputingGuards guards(live_, device);
  if (device_->kind() == device::DeviceKind::kCuda) {
    lanes_ = make_stream_lanes(device);
  }
  const auto as_card = [&](Dtype dtype, const std::vector<encode::CardOutput>& outputs) {
    const Wanted wanted{
        .dtype = dtype, .outputs = outputs, .pooling = card.pooling, .normalize = card.normalize};
    return [this, wanted](const encode::HostBatch& batch) { return embed(batch, wanted); };
  };
  const auto embed_exactly = as_card(Dtype::kFp32, card.outputs);
  std::optional<torch::jit::Module> module = load_module(model_.path, device);
  report_ = {{"device", device_->name()},
             {"dtype", to_string(options_.dtype)},
             {"parameters", count_parameters(*module)},
             {"torch", TORCH_VERSION}};
  const auto freeze = [&] {
    program_ = std::make_unique<ScriptProgram>(*module, card.method, card.inputs.size());
  };
  freeze();
  check_shapes(Dtype::kFp32);
  if (device_->kind() == device::DeviceKind::kCpu && options_.dtype != Dtype::kFp32) {
    slowdown_ =
        slowdown_without_support(to_scalar_type(options_.dtype), linear_shapes(*program_->graph()));
  }
  json golden = check_golden(card, embed_exactly, "at float32");
  const auto sample = [&](Dtype dtype) { return sample_vectors(card, as_card(dtype, chosen_)); };
  const auto residues = [&](Dtype dtype) {
    return sample_vectors(card, [&](const auto& batch) {
      return embed(batch, {.dtype = dtype, .outputs = chosen_, .vectors = false, .tokens = true});
    });
  };
  std::vector<std::vector<float>> exact;
  std::vector<std::vector<float>> exact_residues;
  if (options_.dtype != Dtype::kFp32) {
    exact = sample(Dtype::kFp32);
    exact_residues = options_.tokens ? residues(Dtype::kFp32) : exact_residues;
    program_.reset();
    convert_weights(*module, to_scalar_type(options_.dtype));
    freeze();
    try {
      check_shapes(options_.dtype);
    } catch (const Error&) {  // types are mixed, where a trace has kept some
      convert_weights(*module, c10::kFloat);
      freeze();
      convert_types(*program_, to_scalar_type(options_.dtype),
                    inputs_of(shape_batches(card).front(), Dtype::kFp32));
      check_shapes(options_.dtype);
    }
  }
  module.reset();  // what the program does not hold is given back before weights are packed
  report_["frozen"] = program_->frozen();
  report_["products"] = json::array();
  for (const LinearShape& shape : linear_shapes(*program_->graph())) {
    report_["products"].push_back(
        {{"inputs", shape.inputs}, {"outputs", shape.outputs}, {"count", shape.count}});
  }
  choose_cpu_kernels();
  if (options_.dtype == Dtype::kFp32) {
    if (choices_["kernels"] != "mkl") {
      golden = check_golden(card, embed_exactly, "by the fused CPU kernels");
    }
  } else {
    report_["drift"] = encode::measure_drift(exact, sample(options_.dtype), options_.dtype);
    if (options_.tokens) {
      report_["drift"]["residues"] =
          encode::greatest_drift(exact_residues, residues(options_.dtype));
    }
  }
  report_["golden"] = card.golden.empty() ? json("unchecked") : std::move(golden);
}

plan::RowsPolicy TorchScriptEncoder::rows_policy() const {
  const bool cpu = device_->kind() == device::DeviceKind::kCpu;
  if (model_.card.modality == Modality::kImage) {
    return {.part_tokens = 0, .rows_fixed = cpu ? plan::kCpuPartImages : plan::kGpuPartImages};
  }
  if (choices_["kernels"] == "own") {
    return {.part_tokens = plan::kOwnPartTokens, .rows_fixed = 0, .rungs = plan::Rungs::kFine};
  }
  return {.part_tokens = cpu ? plan::kCpuPartTokens : plan::kGpuPartTokens, .rows_fixed = 0};
}

void TorchScriptEncoder::choose_cpu_kernels() {
  choices_ = json::object({{"kernels", "mkl"}});
  if (device_->kind() != device::DeviceKind::kCpu || !program_->frozen()) {
    return;
  }
  const kernels::Isa isa = choose_isa(options_);
  const std::string kernels = choose_kernels(
      options_.chosen_before("kernels").value_or(options_.cpu_kernels),
      linear_shapes(*program_->graph()), !packable_convolutions(*program_->graph()).empty(), isa);
  choices_["kernels"] = kernels;
  report_["kernels"] = {{"choice", kernels}};
  if (kernels != "mkl") {
    const std::string passes = choose_passes(options_);
    choices_["isa"] = kernels::to_string(isa);
    choices_["passes"] = passes;
    program_->change(&remove_mutation);
    const InputSizes sizes = convolution_sizes();
    std::optional<OperatorsAlone> alone;  // as its weights will be used
    if (model_.card.modality == Modality::kImage) {
      alone.emplace();
    }
    program_->change([&](const std::shared_ptr<torch::jit::Graph>& graph) {
      report_["kernels"]["fused"] = fuse_graph(graph, passes, sizes, isa, kernels == "own");
    });
    alone.reset();
    check_shapes(options_.dtype);
  }
}

// As they are met when a batch is encoded.
InputSizes TorchScriptEncoder::convolution_sizes() {
  if (packable_convolutions(*program_->graph()).empty()) {
    return {};
  }
  const encode::EncoderCard& card = model_.card;
  const bool image = card.modality == Modality::kImage;
  const encode::HostBatch batch =
      image ? probe_batch(card, 1, std::array{0U}) : shape_batches(card).back();
  InputSizes sizes =
      program_->input_sizes(&packable_convolutions, inputs_of(batch, options_.dtype));
  for (std::vector<std::int64_t>& size : sizes) {
    if (image && !size.empty()) {
      size.front() *= plan::kCpuPartImages;
    }
  }
  return sizes;
}

void TorchScriptEncoder::check_shapes(Dtype dtype) {
  const encode::EncoderCard& card = model_.card;
  for (const encode::HostBatch& batch : shape_batches(card)) {
    torch::jit::IValue result;
    try {
      result = program_->run(inputs_of(batch, dtype));
    } catch (const std::exception& failure) {
      if (classify_failure(failure) == FailureKind::kOutOfMemory) {
        throw;  // not the card's fault
      }
      if (dtype != Dtype::kFp32) {  // at float32 it does as its card says
        throw Error(ExitCode::kBadData,
                    model_.path + ": the model does not compute at " +
                        std::string(to_string(dtype)) + ": " + failure_text(failure),
                    "use --dtype fp32");
      }
      throw Error(
          ExitCode::kBadData,
          model_.path +
              ": the model fails on a batch made as its card says: " + failure_text(failure),
          "correct the card's inputs (longhaul inspect " + model_.path + " --draft-card helps)");
    }
    for (const encode::CardOutput& output : card.outputs) {
      output_tensor(output, batch, result);
    }
  }
}

std::vector<encode::EncodedBatch> TorchScriptEncoder::embed(
    std::span<const encode::HostBatch> parts, const Wanted& wanted) {
  const auto compute = [&](const encode::HostBatch& part, Copies& copies) {
    return compute_part(*program_, model_.card, wanted, part, copies);
  };
  if (lanes_) {
    const ComputingGuards guards(live_, device_->torch());
    PartsOnDevice on_device(*lanes_, compute);
    return encode_in_flight(parts, on_device);
  }
  const auto embed_part = [&](const encode::HostBatch& part) {
    const ComputingGuards guards(live_, device_->torch());
    PlainCopies copies(device_->torch());
    return finished(compute(part, copies));
  };
  if (threads_) {
    return threads_->encode(parts, embed_part);
  }
  std::vector<encode::EncodedBatch> encoded;
  for (const encode::HostBatch& part : parts) {
    encoded.push_back(embed_part(part));
  }
  return encoded;
}

std::vector<encode::EncodedBatch> TorchScriptEncoder::encode(
    std::span<const encode::HostBatch> parts) {
  FailureKind kind{};
  std::string text;
  try {
    return embed(parts, {.dtype = options_.dtype,
                         .outputs = chosen_,
                         .vectors = options_.pooling != Pooling::kNone,
                         .pooling = options_.pooling,
                         .normalize = options_.normalize,
                         .tokens = options_.tokens});
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    kind = classify_failure(failure);
    text = failure_text(failure);
  }
  // Out of the handler: the failed call's tensors are gone.
  const encode::HostBatch& first = parts.front();
  const std::string where =
      (parts.size() > 1 ? std::to_string(parts.size()) + " parts, the first " : "") +
      std::to_string(first.rows) + " x " + std::to_string(first.width) + " on " + device_->name();
  switch (kind) {
    case FailureKind::kOutOfMemory:
      throw DeviceOutOfMemory("out of memory for a batch of " + where + ": " + text);
    case FailureKind::kDeviceBroken:
      throw Error(ExitCode::kUnavailable, "the device failed on a batch of " + where + ": " + text,
                  "what is committed is safe; the same command continues in a fresh process");
    case FailureKind::kOther:
      break;
  }
  throw Error(ExitCode::kBadData, "the model failed on a batch of " + where + ": " + text,
              "check that the card fits the model: longhaul inspect " + model_.path);
}

}  // namespace

std::unique_ptr<encode::Encoder> make_encoder(const encode::ModelFile& model,
                                              const encode::EncoderOptions& options, Log& log) {
  try {
    return std::make_unique<TorchScriptEncoder>(model, options, log);
  } catch (const DeviceOutOfMemory& failure) {
    throw does_not_fit(model.path, failure.what());
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    if (classify_failure(failure) != FailureKind::kOutOfMemory) {
      throw;
    }
    throw does_not_fit(model.path, failure_text(failure));
  }
}

std::unique_ptr<encode::Encoder> make_encoder(const encode::EncoderOptions& options, Log& log) {
  return make_encoder(
      read_torchscript_model(options.model_path, options.card_path, options.model_sha256), options,
      log);
}

}  // namespace longhaul::torch_room
