// open_own_table() for who has the tables of many outputs open at once: how much of each is read at
// a time, and so held, is the caller's to say. One thread. Throws Error(kIo).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/csv_reader.hpp"
#include "base/files.hpp"

namespace longhaul::store {

CsvReader open_in_chunks(Files& files, const std::string& path, const std::string& remedy,
                         std::uint64_t limit, std::size_t chunk);

}  // namespace longhaul::store
