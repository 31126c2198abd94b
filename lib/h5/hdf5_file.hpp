// A new HDF5 file. What the library makes in it is checked by require(); then rethrow() has the
// file system's own error, which comes first. One thread. Errors: see h5_sinks.hpp.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "base/files.hpp"
#include "h5/file_driver.hpp"
#include "h5/handle.hpp"

namespace longhaul::h5 {

class Hdf5File {
 public:
  Hdf5File(Files& files, const std::string& path);
  // What was not finished is thrown away.
  ~Hdf5File();
  Hdf5File(const Hdf5File&) = delete;
  Hdf5File& operator=(const Hdf5File&) = delete;

  // Does what calls HDF5.
  template <typename Work>
  void guarded(const Work& work) {
    try {
      work();
    } catch (const Error&) {
      rethrow();
      throw;
    }
    rethrow();
  }

  hid_t id() const { return file_.id(); }
  // Written and on the disk. Nothing comes after it.
  void finish();

 private:
  void rethrow() const;

  std::unique_ptr<DrivenFile> driven_;  // its address is the library's
  Handle file_;
};

}  // namespace longhaul::h5
