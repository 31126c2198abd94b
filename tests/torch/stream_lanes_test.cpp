// Which copies and waits are given to which stream, on a device that is made up for it: its memory
// is the host's, and what its streams are told is written down.
#include <ATen/EmptyTensor.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>
#include <torch/script.h>

#include "torch/encoder/device_copies.hpp"
// LibTorch's own CHECK ends the process.
#undef CHECK

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

using namespace longhaul::torch_room;

namespace {

constexpr c10::DeviceType kMadeUp = c10::DeviceType::PrivateUse1;

// Stream 0 is the one that computes; others are numbered as they are asked for. So are events.
struct Told {
  c10::StreamId current = 0;
  c10::StreamId streams = 0;
  std::uintptr_t events = 0;
  std::uintptr_t destroyed = 0;
  std::vector<std::string> log;
};
Told told;

std::string text(const void* event) {
  return std::to_string(reinterpret_cast<std::uintptr_t>(event));
}

class MadeUpGuard : public c10::impl::DeviceGuardImplInterface {
 public:
  c10::DeviceType type() const override { return kMadeUp; }
  c10::Device exchangeDevice(c10::Device /*device*/) const override { return getDevice(); }
  c10::Device getDevice() const override { return {kMadeUp, 0}; }
  void setDevice(c10::Device /*device*/) const override {}
  void uncheckedSetDevice(c10::Device /*device*/) const noexcept override {}
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }

  c10::Stream getStream(c10::Device /*device*/) const override { return stream(told.current); }
  c10::Stream getStreamFromGlobalPool(c10::Device /*device*/, bool /*high*/) const override {
    return stream(++told.streams);
  }
  c10::Stream exchangeStream(c10::Stream next) const override {
    return stream(std::exchange(told.current, next.id()));
  }
  void synchronizeStream(const c10::Stream& waited) const override {
    told.log.push_back("wait for stream " + std::to_string(waited.id()));
  }

  void record(void** event, const c10::Stream& on, const c10::DeviceIndex /*device*/,
              const c10::EventFlag /*flag*/) const override {
    *event = reinterpret_cast<void*>(++told.events);
    told.log.push_back("event " + text(*event) + " on " + std::to_string(on.id()));
  }
  void block(void* event, const c10::Stream& on) const override {
    told.log.push_back(std::to_string(on.id()) + " waits for event " + text(event));
  }
  void synchronizeEvent(void* event) const override {
    told.log.push_back("wait for event " + text(event));
  }
  void destroyEvent(void* event, const c10::DeviceIndex /*device*/) const noexcept override {
    told.destroyed += event == nullptr ? 0 : 1;
  }

 private:
  static c10::Stream stream(c10::StreamId id) {
    return c10::Stream(c10::Stream::UNSAFE, {kMadeUp, 0}, id);
  }
};

class MadeUpMemory : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* memory = std::malloc(bytes);
    return {memory, memory, &std::free, {kMadeUp, 0}};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &std::free; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override {
    std::memcpy(to, from, bytes);
  }
};

MadeUpMemory memory;

at::Tensor make_empty(c10::IntArrayRef size, std::optional<c10::ScalarType> type,
                      std::optional<c10::Layout> /*layout*/, std::optional<c10::Device> /*device*/,
                      std::optional<bool> /*pinned*/, std::optional<c10::MemoryFormat> format) {
  told.log.push_back("memory of stream " + std::to_string(told.current));
  return at::detail::empty_generic(size, &memory,
                                   c10::DispatchKeySet(c10::DispatchKey::PrivateUse1),
                                   type.value_or(c10::kFloat), format);
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool non_blocking) {
  told.log.push_back((non_blocking ? "copy on " : "blocking copy on ") +
                     std::to_string(told.current));
  std::memcpy(to.mutable_data_ptr(), from.const_data_ptr(), to.nbytes());
  return to;
}

}  // namespace

TEST_CASE(
    "copies go by streams of their own; computing and copies wait for each other on the device") {
  static const MadeUpGuard guard;  // registered for good
  const c10::impl::DeviceGuardImplRegistrar registered(kMadeUp, &guard);
  torch::Library operators(torch::Library::IMPL, "aten", c10::DispatchKey::PrivateUse1, __FILE__,
                           __LINE__);
  operators.impl("empty.memory_format", &make_empty);
  operators.impl("_copy_from", &copy_from);
  {
    const c10::InferenceMode inference;
    const std::unique_ptr<Lanes> lanes = make_stream_lanes({kMadeUp, 0});
    CHECK(lanes->device() == c10::Device(kMadeUp, 0));
    CHECK(told.streams == 2);
    const at::Tensor host = at::arange(6, c10::kFloat);
    const at::Tensor there = lanes->up(host);
    CHECK(there.device() == lanes->device());
    CHECK(std::exchange(told.log, {}) == std::vector<std::string>{"memory of stream 1", "copy on 1",
                                                                  "event 1 on 1",
                                                                  "0 waits for event 1"});
    const at::Tensor back = at::zeros({6}, c10::kFloat);
    const std::unique_ptr<Arrival> arrival = lanes->down(there, back);
    CHECK(std::exchange(told.log, {}) == std::vector<std::string>{"event 2 on 0",
                                                                  "2 waits for event 2",
                                                                  "copy on 2", "event 3 on 2"});
    CHECK(told.current == 0);
    arrival->wait();
    CHECK(std::exchange(told.log, {}) == std::vector<std::string>{"wait for event 3"});
    CHECK(back.equal(host));
    lanes->settle();
    CHECK_FALSE(lanes->broken());
    CHECK(std::exchange(told.log, {}) ==
          std::vector<std::string>{"wait for stream 1", "wait for stream 0", "wait for stream 2"});
  }
  CHECK(told.destroyed == told.events);
}
