// A File as HDF5 writes to one: what it throws is kept, and from then on nothing is written and
// HDF5 told that it was, so that it closes what it has in hand; who called HDF5 takes the error
// back. No lock of HDF5's own is taken, which some network file systems refuse. One thread.
#pragma once

#include <hdf5.h>

#include <cstdint>
#include <exception>
#include <memory>

#include "base/files.hpp"

namespace longhaul::h5 {

struct DrivenFile {
  std::unique_ptr<File> file;
  std::exception_ptr error;
  bool discarded = false;  // nothing that comes is wanted
};

// Makes files that are opened with this access list those of `driven`, which outlives them.
void drive_by(hid_t access, DrivenFile& driven);

}  // namespace longhaul::h5
