#include "h5/handle.hpp"

#include <string>

#include "base/error.hpp"

namespace longhaul::h5 {
namespace {

herr_t keep_description(unsigned, const H5E_error2_t* error, void* text) {
  auto& words = *static_cast<std::string*>(text);
  words += (words.empty() ? "" : ": ") + std::string(error->desc == nullptr ? "" : error->desc);
  return 0;
}

[[noreturn]] void refused(const char* what) {
  std::string why;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, &keep_description, &why);
  throw Error(ExitCode::kInternal, std::string("HDF5 cannot make ") + what + ": " + why);
}

}  // namespace

Handle::Handle(hid_t id, Close close, const char* what) : id_(id), close_(close) {
  if (id < 0) {
    refused(what);
  }
}

Handle::~Handle() {
  if (id_ >= 0) {
    close_(id_);
  }
}

void require(herr_t result, const char* what) {
  if (result < 0) {
    refused(what);
  }
}

}  // namespace longhaul::h5
