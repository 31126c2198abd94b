// How numbers get from the host to a device and back. PlainCopies waits for each copy; StagedCopies
// waits for none: copies go through pinned memory on streams of their own, beside the one that
// computes, so that the device computes one part while the next one's inputs arrive and the last
// one's results leave.
// The encoding thread; PlainCopies any. Throws what LibTorch throws.
#pragma once

#include <torch/script.h>

#include <memory>
#include <vector>

namespace longhaul::torch_room {

// Those of one part.
class Copies {
 public:
  virtual ~Copies() = default;
  virtual c10::Device device() const = 0;
  // False where the device computes in the host's own memory.
  virtual bool apart() const = 0;
  // The host's numbers on the device, in `type`. Where nothing is apart, they may be the same.
  virtual at::Tensor up(const at::Tensor& host, c10::ScalarType type) = 0;
  // The device's numbers on the host, in `type`, contiguous.
  virtual at::Tensor down(const at::Tensor& tensor, c10::ScalarType type) = 0;
};

class PlainCopies : public Copies {
 public:
  explicit PlainCopies(c10::Device device) : device_(device) {}
  c10::Device device() const override { return device_; }
  bool apart() const override { return !device_.is_cpu(); }
  at::Tensor up(const at::Tensor& host, c10::ScalarType type) override;
  at::Tensor down(const at::Tensor& tensor, c10::ScalarType type) override;

 private:
  c10::Device device_;
};

// A copy that is on its way.
class Arrival {
 public:
  virtual ~Arrival() = default;
  virtual void wait() = 0;
};

// The ways between the host and one device, on which copies pass while it computes.
class Lanes {
 public:
  virtual ~Lanes() = default;
  virtual c10::Device device() const = 0;
  // Host memory that copies are made from and to without the host.
  virtual at::Tensor host_memory(c10::IntArrayRef sizes, c10::ScalarType type) = 0;
  // New memory of the device, which has these numbers for all that is launched from now on. Both
  // must live, and `host` stay as it is, until an arrival of something computed from them.
  virtual at::Tensor up(const at::Tensor& host) = 0;
  // Copies `from`, once it is computed, to `host`, of its sizes and type. Both must live until it
  // has arrived; with it has all that was sent before.
  virtual std::unique_ptr<Arrival> down(const at::Tensor& from, const at::Tensor& host) = 0;

  // Waits for all copies and all that was launched. A device that cannot even do that is broken.
  void settle() noexcept;
  bool broken() const { return broken_; }

 private:
  virtual void wait_for_all() = 0;

  bool broken_ = false;
};

// Of a device with streams and pinned memory. What the calling thread launches there is what copies
// wait for, and what waits for them.
std::unique_ptr<Lanes> make_stream_lanes(c10::Device device);

// What it copied to or from lives as long as it does: it is kept until wait() has returned, or the
// lanes have settled. So no allocator must be told which streams use what (record_stream).
class StagedCopies : public Copies {
 public:
  explicit StagedCopies(Lanes& lanes) : lanes_(lanes) {}
  ~StagedCopies() override;
  StagedCopies(const StagedCopies&) = delete;
  StagedCopies& operator=(const StagedCopies&) = delete;

  c10::Device device() const override { return lanes_.device(); }
  bool apart() const override { return true; }
  // The host's numbers may change, or go, once this has returned.
  at::Tensor up(const at::Tensor& host, c10::ScalarType type) override;
  // The numbers are there when wait() has returned.
  at::Tensor down(const at::Tensor& tensor, c10::ScalarType type) override;
  void wait();

 private:
  const at::Tensor& keep(at::Tensor tensor);

  Lanes& lanes_;
  std::vector<at::Tensor> kept_;
  std::unique_ptr<Arrival> arrival_;  // of what was sent last
};

}  // namespace longhaul::torch_room
