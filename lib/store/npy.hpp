// The header of a .npy file, format version 1.0, always 128 bytes (see numpy.lib.format).
// Pure functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace longhaul::store {

constexpr std::size_t kNpyHeaderBytes = 128;

// `descr` is numpy's name of the type: "<f4", "<f2", "<u8". Without `columns`, one axis.
std::string npy_header(std::string_view descr, std::uint64_t rows,
                       std::optional<std::uint32_t> columns);

}  // namespace longhaul::store
