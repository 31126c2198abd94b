#include "torch/encoder/compute_part.hpp"

#include "models.hpp"
#include "torch/device/devices.hpp"
// LibTorch's own CHECK ends the process.
#undef CHECK

#include <array>
#include <catch2/catch.hpp>
#include <limits>
#include <stdexcept>
#include <string>

#include "base/error.hpp"
#include "encode/model_checks.hpp"
#include "torch/encoder/parts_in_flight.hpp"
#include "torch/encoder/torchscript_encoder.hpp"

using namespace longhaul;
using namespace longhaul::torch_room;
using namespace longhaul::torch_room::test;

namespace {

using Weak = c10::weak_intrusive_ptr<c10::TensorImpl>;

// A device that is the CPU, whose copies come late: what was sent down arrives when it is waited
// for, and what was sent up is read until then. Fails at the step it is told to.
class LateLanes : public Lanes {
 public:
  c10::Device device() const override { return c10::Device(c10::kCPU); }

  at::Tensor host_memory(c10::IntArrayRef sizes, c10::ScalarType type) override {
    step();
    at::Tensor host = at::empty(sizes, type);
    if (host.is_floating_point()) {
      host.fill_(std::numeric_limits<float>::quiet_NaN());
    }
    return watch(host);
  }

  at::Tensor up(const at::Tensor& host) override {
    step();
    at::Tensor there = watch(host.clone());
    going_up_.push_back({weak(host), there.clone()});
    return there;
  }

  std::unique_ptr<Arrival> down(const at::Tensor& from, const at::Tensor& host) override {
    step();
    CHECK(from.is_contiguous());
    CHECK(from.sizes() == host.sizes());
    CHECK(from.scalar_type() == host.scalar_type());
    going_down_.push_back({weak(from), weak(host)});
    return std::make_unique<Late>(*this, going_up_.size(), going_down_.size());
  }

  void fail_at(std::uint32_t step) { failing_step_ = step; }
  void break_down() { works_ = false; }
  std::uint32_t steps() const { return steps_; }
  std::uint32_t failures() const { return failures_; }
  std::uint32_t settled() const { return settled_; }
  // Of all that was made here.
  std::size_t living() const {
    return static_cast<std::size_t>(std::count_if(watched_.begin(), watched_.end(),
                                                  [](const Weak& one) { return !one.expired(); }));
  }

 private:
  struct GoingUp {
    Weak host;
    at::Tensor numbers;
  };
  struct GoingDown {
    Weak from;
    Weak host;
  };

  class Late : public Arrival {
   public:
    Late(LateLanes& lanes, std::size_t up, std::size_t down)
        : lanes_(lanes), up_(up), down_(down) {}
    void wait() override {
      lanes_.step();
      lanes_.arrive(up_, down_);
    }

   private:
    LateLanes& lanes_;
    std::size_t up_;
    std::size_t down_;
  };

  void step() {
    if (++steps_ == failing_step_) {
      ++failures_;
      throw DeviceOutOfMemory("step " + std::to_string(steps_));
    }
  }

  // The first so many of those that were ever sent.
  void arrive(std::size_t up, std::size_t down) {
    for (; arrived_up_ < up; ++arrived_up_) {
      const at::Tensor host = locked(going_up_[arrived_up_].host);
      CHECK(host.equal(going_up_[arrived_up_].numbers));  // not written to since
    }
    for (; arrived_down_ < down; ++arrived_down_) {
      locked(going_down_[arrived_down_].host).copy_(locked(going_down_[arrived_down_].from));
    }
  }

  void wait_for_all() override {
    ++settled_;
    if (!works_) {
      throw std::runtime_error("broken");
    }
    arrive(going_up_.size(), going_down_.size());
  }

  static Weak weak(const at::Tensor& tensor) { return Weak(tensor.getIntrusivePtr()); }
  static at::Tensor locked(const Weak& one) {
    const auto living = one.lock();
    REQUIRE(living);
    return at::Tensor(living);
  }
  at::Tensor watch(const at::Tensor& tensor) {
    watched_.push_back(weak(tensor));
    return tensor;
  }

  std::vector<GoingUp> going_up_;
  std::vector<GoingDown> going_down_;
  std::size_t arrived_up_ = 0;
  std::size_t arrived_down_ = 0;
  std::vector<Weak> watched_;
  bool works_ = true;
  std::uint32_t steps_ = 0;
  std::uint32_t failing_step_ = 0;
  std::uint32_t failures_ = 0;
  std::uint32_t settled_ = 0;
};

// A model of make_models.py and what a run wants of it, on lanes.
struct OnLanes {
  explicit OnLanes(const encode::EncoderOptions& options)
      : model(read_torchscript_model(options.model_path)),
        program(load_module(model.path, c10::Device(c10::kCPU)), model.card.method,
                model.card.inputs.size()),
        wanted{.outputs = model.card.outputs,
               .pooling = options.pooling,
               .normalize = options.normalize,
               .tokens = options.tokens} {}

  PartsOnDevice parts(Lanes& lanes) {
    return {lanes, [this](const encode::HostBatch& part, Copies& copies) {
              return compute_part(program, model.card, wanted, part, copies);
            }};
  }
  std::vector<encode::EncodedBatch> encode(const std::vector<encode::HostBatch>& batch,
                                           Lanes& lanes) {
    const c10::InferenceMode inference;
    PartsOnDevice on_device = parts(lanes);
    return encode_in_flight(std::span<const encode::HostBatch>(batch), on_device);
  }

  encode::ModelFile model;
  ScriptProgram program;
  Wanted wanted;
};

void check_same(const encode::EncodedBatch& actual, const encode::EncodedBatch& expected) {
  REQUIRE(actual.blocks.size() == expected.blocks.size());
  for (std::size_t i = 0; i < actual.blocks.size(); ++i) {
    const encode::EmbeddingBlock& block = actual.blocks[i];
    const encode::EmbeddingBlock& other = expected.blocks[i];
    CHECK(block.rows == other.rows);
    CHECK(block.dimension == other.dimension);
    CHECK(block.firsts == other.firsts);
    REQUIRE(block.values.size() == other.values.size());
    REQUIRE(block.sums.size() == other.sums.size());
    for (std::size_t j = 0; j < block.values.size(); ++j) {
      CHECK(block.values[j] == Approx(other.values[j]).margin(1e-5));
    }
    for (std::size_t j = 0; j < block.sums.size(); ++j) {
      CHECK(block.sums[j] == Approx(other.sums[j]).margin(1e-9));
    }
  }
}

std::vector<encode::EncodedBatch> as_a_cpu_does(encode::EncoderOptions options,
                                                const std::vector<encode::HostBatch>& batch) {
  NullLog log;
  options.cpu_kernels = "mkl";
  return make_encoder(options, log)->encode(std::span(batch));
}

std::vector<encode::HostBatch> some_parts() {
  return {batch_of({1, 2, 3, 4}, 24), filled(batch_of({5, 6}, 40), 3), batch_of({7}, 40),
          batch_of({8, 9, 10}, 16), batch_of({11, 12}, 24)};
}

}  // namespace

TEST_CASE("parts that come late give what a CPU gives, for every pooling, with residues") {
  encode::EncoderOptions options = options_for(GENERATE("plain", "other_method"));
  options.tokens = true;
  options.pooling = GENERATE(Pooling::kMean, Pooling::kMax, Pooling::kCls, Pooling::kMeanCompat);
  options.normalize = GENERATE(Normalize::kNone, Normalize::kL2);
  const std::vector<encode::HostBatch> batch = some_parts();
  const auto expected = as_a_cpu_does(options, batch);
  LateLanes lanes;
  const auto actual = OnLanes(options).encode(batch, lanes);
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    INFO("part " << i);
    check_same(actual[i], expected[i]);
    CHECK(actual[i].blocks[1].values == expected[i].blocks[1].values);
  }
  CHECK(lanes.living() == 0);
}

TEST_CASE("sums of segments, images and vectors that a model pools itself come late too") {
  const std::string name = GENERATE("segments", "pooled", "image_pooled", "image_map");
  INFO(name);
  const encode::EncoderOptions options = options_for(name == "segments" ? "plain" : name);
  std::vector<encode::HostBatch> batch = some_parts();
  OnLanes on_lanes(options);
  if (name == "segments") {
    batch[0].own = {{1, 9}, {}, {5, 20}, {}};
    batch[1].own = {{}, {3, 4}, {}};
  } else if (name.starts_with("image")) {
    batch = {probe_batch(on_lanes.model.card, 1, std::array{0U, 1U}),
             filled(probe_batch(on_lanes.model.card, 1, std::array{2U}), 4),
             probe_batch(on_lanes.model.card, 1, std::array{3U, 4U, 5U})};
  }
  const auto expected = as_a_cpu_does(options, batch);
  LateLanes lanes;
  const auto actual = on_lanes.encode(batch, lanes);
  REQUIRE(actual.size() == expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    INFO("part " << i);
    check_same(actual[i], expected[i]);
  }
  CHECK((name == "segments") == !actual[0].blocks[0].sums.empty());
}

TEST_CASE("a part's own memory is not looked at again once it is launched") {
  const c10::InferenceMode inference;
  const encode::EncoderOptions options = options_for("plain");
  encode::HostBatch part = batch_of({1, 2, 3}, 24);
  const auto expected = as_a_cpu_does(options, {part});
  OnLanes on_lanes(options);
  LateLanes lanes;
  PartsOnDevice device = on_lanes.parts(lanes);
  PartsOnDevice::InFlight first;
  device.submit(part, first);
  std::fill(part.tokens.begin(), part.tokens.end(), 5);
  std::fill(part.lengths.begin(), part.lengths.end(), 3);
  PartsOnDevice::InFlight second;
  device.submit(part, second);
  check_same(device.collect(first), expected.front());
  CHECK(device.collect(second).blocks[0].values != expected.front().blocks[0].values);
}

TEST_CASE("wherever a copy fails, what is under way is waited for, then its memory is free") {
  encode::EncoderOptions options = options_for("plain");
  options.tokens = true;
  OnLanes on_lanes(options);
  const std::vector<encode::HostBatch> batch = some_parts();
  std::uint32_t steps = 0;
  {
    LateLanes lanes;
    on_lanes.encode(batch, lanes);
    steps = lanes.steps();
    CHECK(lanes.settled() == 0);
  }
  REQUIRE(steps > 5 * batch.size());
  for (std::uint32_t step = 1; step <= steps; ++step) {
    INFO("step " << step << " of " << steps);
    LateLanes lanes;
    lanes.fail_at(step);
    CHECK_THROWS_WITH(on_lanes.encode(batch, lanes), "step " + std::to_string(step));
    CHECK(lanes.failures() == 1);
    CHECK(lanes.settled() == 1);
    CHECK(lanes.living() == 0);
    CHECK_FALSE(lanes.broken());
    CHECK(on_lanes.encode(batch, lanes).size() == batch.size());
  }
}

TEST_CASE("memory that a broken device uses is never given back") {
  OnLanes on_lanes(options_for("plain"));
  LateLanes lanes;
  lanes.fail_at(8);
  lanes.break_down();
  CHECK_THROWS_WITH(on_lanes.encode(some_parts(), lanes), "step 8");
  CHECK(lanes.broken());
  CHECK(lanes.living() > 0);
}

TEST_CASE(
    "on a GPU, parts in flight have the bits of parts alone, and survive one that is too large") {
  NullLog log;
  for (const std::string& device : list_devices()) {
    if (!device.starts_with("cuda")) {
      continue;
    }
    INFO(device);
    encode::EncoderOptions options = options_for("greedy");
    options.device = device.substr(0, device.find(' '));
    options.tokens = true;
    const auto encoder = make_encoder(options, log);
    CHECK(encoder->concurrency() == kPartsInFlight);
    std::vector<encode::HostBatch> batch;
    for (std::uint32_t i = 0; i < 40; ++i) {
      batch.push_back(batch_of({i, i + 1, i + 2, i + 3}, i % 2 == 0 ? 40 : 72));
    }
    const auto together = encoder->encode(std::span<const encode::HostBatch>(batch));
    REQUIRE(together.size() == batch.size());
    const auto before = encoder->device().memory().allocated;
    batch[17] = batch_of({0, 1, 2, 3, 4, 5, 6, 7, 8}, 24);
    CHECK_THROWS_AS(encoder->encode(std::span<const encode::HostBatch>(batch)), DeviceOutOfMemory);
    CHECK(encoder->device().memory().allocated == before);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (i != 17) {
        const encode::EncodedBatch alone = encoder->encode(batch[i]);
        CHECK(alone.blocks[0].values == together[i].blocks[0].values);
        CHECK(alone.blocks[1].values == together[i].blocks[1].values);
      }
    }
  }
}
