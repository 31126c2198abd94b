// The entry point of the HDF5 module: see export/h5_module.hpp.
#include <memory>

#include "export/h5_module.hpp"
#include "h5/h5_sinks.hpp"

extern "C" __attribute__((visibility("default"))) longhaul::export_room::TableSink*
longhaul_make_h5_sink(std::uint64_t abi, const longhaul::export_room::H5Target* target) {
  if (abi != longhaul::export_room::kH5ModuleAbi) {
    return nullptr;
  }
  return longhaul::h5::make_sink(*target).release();
}
