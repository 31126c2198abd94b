// The names of datasets in a file that has one for each row, as HDF5 takes them: an id, or the hash
// of a record's content. HDF5 makes folders of what a / parts, so that a reader who goes through
// the file would not meet the row; and it takes "." for the folder itself. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "store/output_reader.hpp"

namespace longhaul::export_room {

enum class NameKey { kId, kHash };

// The key with %2F for each /, and %2E for a lone dot; all else as it is.
std::string dataset_name(std::string_view key);

struct DatasetNames {
  std::uint64_t datasets = 0;
  std::uint64_t changed = 0;  // names that are not the key itself
};

// Every row that is to be written has a name, and no two have the same one. Reads records.csv;
// memory is 24 bytes a row. `each` is called for every row.
// Error(kBadData) names the rows.
DatasetNames check_dataset_names(const store::OutputReader& output, NameKey key, bool all,
                                 const std::function<void()>& each);

// What a user should know before such a file is written.
std::vector<std::string> warnings_of(const DatasetNames& names);

}  // namespace longhaul::export_room
