#include "h5/hdf5_file.hpp"

namespace longhaul::h5 {
namespace {

// Once: the library prints nothing, and has nothing to do when the program ends, when the files
// that it may still hold are gone.
void prepare_library() {
  static const bool kDone = [] {
    H5dont_atexit();
    require(H5open(), "its library ready");
    return H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  }();
  static_cast<void>(kDone);
}

// Groups of many names in the way that HDF5 1.8 brought, which is in the file and not in memory,
// and no times, so that equal tables are equal files.
hid_t create(DrivenFile& driven) {
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), &H5Pclose, "an access list");
  drive_by(access.id(), driven);
  require(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_V18), "a version");
  const Handle creation(H5Pcreate(H5P_FILE_CREATE), &H5Pclose, "a creation list");
  require(H5Pset_link_creation_order(creation.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
          "an order");
  require(H5Pset_obj_track_times(creation.id(), 0), "a creation list");
  return H5Fcreate("longhaul", H5F_ACC_TRUNC, creation.id(), access.id());
}

}  // namespace

Hdf5File::Hdf5File(Files& files, const std::string& path) {
  prepare_library();
  driven_ = std::make_unique<DrivenFile>();
  driven_->file = files.open(path, OpenMode::kCreate);
  guarded([&] { file_ = Handle(create(*driven_), &H5Fclose, "a file"); });
}

Hdf5File::~Hdf5File() {
  driven_->discarded = true;
  if (file_.id() >= 0) {
    file_ = Handle();
  }
}

void Hdf5File::rethrow() const {
  if (driven_->error) {
    std::rethrow_exception(driven_->error);
  }
}

void Hdf5File::finish() {
  guarded([&] {
    require(H5Fflush(file_.id(), H5F_SCOPE_LOCAL), "the file whole");
    file_ = Handle();
  });
  driven_->file->sync();
}

}  // namespace longhaul::h5
