// What the program and the module that writes HDF5 agree on. The module is loaded for `longhaul
// export --to h5` alone, so that the program does without its library.
#pragma once

#include <cstdint>
#include <string>

#include "base/files.hpp"
#include "export/dataset_names.hpp"
#include "export/table_sink.hpp"

namespace longhaul::export_room {

// kRecords: a dataset for each row, of the one array that the schema has. kMatrix: a dataset for
// each array and for each column.
enum class H5Layout { kRecords, kMatrix };

struct H5Target {
  Files* files = nullptr;
  const std::string* path = nullptr;
  const TableSchema* schema = nullptr;
  H5Layout layout = H5Layout::kRecords;
  NameKey key = NameKey::kId;
};

constexpr std::uint64_t kH5ModuleAbi =
    (sizeof(H5Target) * 1009 + sizeof(TableSchema)) * 1009 + sizeof(Column) + sizeof(TableRow);
// The module's entry point: begins a file. Nothing when `abi` is not the module's own. The caller
// owns what it returns, and keeps the module loaded for as long.
constexpr const char* kMakeH5Sink = "longhaul_make_h5_sink";
using MakeH5Sink = TableSink*(std::uint64_t abi, const H5Target* target);

}  // namespace longhaul::export_room
