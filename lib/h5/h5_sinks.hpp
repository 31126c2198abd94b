// Tables as HDF5 files that any reader since HDF5 1.8 opens, the same bytes for the same table. The
// root has the attribute longhaul: JSON of what made the vectors.
// Memory is that of the library's caches and of a buffer of 1 MiB for each column. One thread.
// Errors: what the file system says; kBadData for a text that HDF5 cannot hold, with its row;
// kInternal for what the library refuses.
#pragma once

#include <memory>

#include "export/h5_module.hpp"

namespace longhaul::h5 {

// Each row a dataset in the root, in the order of the rows (also for readers, who are told that
// order): its vector of float32, or of residues a matrix, or nothing (a null dataspace) where the
// row has none. Its attributes: original_id, row, status where rows without a vector may be among
// them, and the kept columns. The root's attribute array names the array.
std::unique_ptr<export_room::TableSink> record_sink(const export_room::H5Target& target);

// Each array a dataset, rows x dimension, NaN where a row has no vector; of residues all of them,
// with token_offsets as in an output directory; and each column one: int64 (-1 where there is
// none), bool as h5py has it, float64, UTF-8 text.
std::unique_ptr<export_room::TableSink> matrix_sink(const export_room::H5Target& target);

inline std::unique_ptr<export_room::TableSink> make_sink(const export_room::H5Target& target) {
  return target.layout == export_room::H5Layout::kMatrix ? matrix_sink(target)
                                                         : record_sink(target);
}

}  // namespace longhaul::h5
