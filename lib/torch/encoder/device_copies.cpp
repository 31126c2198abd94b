#include "torch/encoder/device_copies.hpp"

#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

namespace longhaul::torch_room {
namespace {

class EventArrival : public Arrival {
 public:
  explicit EventArrival(const c10::Stream& stream) : event_(stream.device_type()) {
    event_.record(stream);
  }
  void wait() override { event_.synchronize(); }

 private:
  c10::Event event_;
};

// `later` goes on when `stream` has done what it was given so far.
void hold_up(const c10::Stream& later, const c10::Stream& stream) {
  c10::Event event(stream.device_type());
  event.record(stream);
  event.block(later);
}

// Through LibTorch's own registry of devices: no header of CUDA's is needed. Copies up and down
// have a stream each: on one, the inputs of the next part would wait behind the results of this.
class StreamLanes : public Lanes {
 public:
  explicit StreamLanes(c10::Device device) : StreamLanes(device, device.type()) {}

  c10::Device device() const override { return device_; }

  at::Tensor host_memory(c10::IntArrayRef sizes, c10::ScalarType type) override {
    return at::empty(sizes, at::TensorOptions().dtype(type).pinned_memory(true));
  }

  at::Tensor up(const at::Tensor& host) override {
    at::Tensor there;
    {
      const c10::StreamGuard guard(up_);
      there =
          at::empty(host.sizes(), at::TensorOptions().dtype(host.scalar_type()).device(device_));
      there.copy_(host, /*non_blocking=*/true);
    }
    hold_up(compute_, up_);
    return there;
  }

  std::unique_ptr<Arrival> down(const at::Tensor& from, const at::Tensor& host) override {
    hold_up(down_, compute_);
    const c10::StreamGuard guard(down_);
    host.copy_(from, /*non_blocking=*/true);
    return std::make_unique<EventArrival>(down_);
  }

 private:
  StreamLanes(c10::Device device, const c10::impl::VirtualGuardImpl& streams)
      : device_(device),
        compute_(streams.getStream(device)),
        up_(streams.getStreamFromGlobalPool(device)),
        down_(streams.getStreamFromGlobalPool(device)) {}

  void wait_for_all() override {
    up_.synchronize();
    compute_.synchronize();
    down_.synchronize();
  }

  c10::Device device_;
  c10::Stream compute_;
  c10::Stream up_;
  c10::Stream down_;
};

}  // namespace

at::Tensor PlainCopies::up(const at::Tensor& host, c10::ScalarType type) {
  return host.to(device_, type);
}

at::Tensor PlainCopies::down(const at::Tensor& tensor, c10::ScalarType type) {
  return tensor.to(c10::kCPU, type).contiguous();
}

void Lanes::settle() noexcept {
  try {
    wait_for_all();
  } catch (...) {  // what came before it is what the run ends with
    broken_ = true;
  }
}

std::unique_ptr<Lanes> make_stream_lanes(c10::Device device) {
  return std::make_unique<StreamLanes>(device);
}

StagedCopies::~StagedCopies() {
  if (!lanes_.broken()) {
    return;
  }
  // To give pinned memory back, LibTorch records an event, which a broken device refuses by an
  // exception, here of a destructor. The process is about to end: it is left to that.
  for (at::Tensor& tensor : kept_) {
    static_cast<void>(tensor.unsafeReleaseTensorImpl());
  }
}

at::Tensor StagedCopies::up(const at::Tensor& host, c10::ScalarType type) {
  const at::Tensor staged = keep(lanes_.host_memory(host.sizes(), type));
  staged.copy_(host);
  return keep(lanes_.up(staged));
}

at::Tensor StagedCopies::down(const at::Tensor& tensor, c10::ScalarType type) {
  const at::Tensor numbers = keep(tensor.to(type).contiguous());
  const at::Tensor host = keep(lanes_.host_memory(numbers.sizes(), type));
  arrival_ = lanes_.down(numbers, host);
  return host;
}

void StagedCopies::wait() {
  if (arrival_) {
    arrival_->wait();
  }
}

const at::Tensor& StagedCopies::keep(at::Tensor tensor) {
  return kept_.emplace_back(std::move(tensor));
}

}  // namespace longhaul::torch_room
