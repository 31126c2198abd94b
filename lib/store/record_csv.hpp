// The lines of records.csv and rejects.csv; record_cursor.hpp reads them back.
// Values; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/record_row.hpp"
#include "store/store_layout.hpp"

namespace longhaul::store {

// Names of the columns of records.csv: ours, then the kept ones. A kept name that is taken becomes
// input.NAME.
std::vector<std::string> record_columns(const StoreLayout& layout);

// What a field that was written of `text` reads as: bytes that are not UTF-8 became \xNN.
std::string csv_value(std::string_view text);
// One line of RFC 4180 with its newline.
std::string csv_line(const std::vector<std::string>& fields);
std::string records_header(const StoreLayout& layout);
std::string rejects_header();
std::string records_line(const StoreLayout& layout, const RecordRow& row);
std::string rejects_line(const RecordRow& row);  // of a rejected one

}  // namespace longhaul::store
