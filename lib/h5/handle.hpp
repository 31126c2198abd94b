// An identifier of HDF5 that is closed when it goes. A value of one owner; one thread.
#pragma once

#include <hdf5.h>

#include <utility>

namespace longhaul::h5 {

class Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Handle() = default;
  // Throws Error(kInternal) unless `id` is one; `what` was to be made.
  Handle(hid_t id, Close close, const char* what);
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle();

  hid_t id() const { return id_; }

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

// Throws Error(kInternal) with what the library says where `result` is negative.
void require(herr_t result, const char* what);

}  // namespace longhaul::h5
