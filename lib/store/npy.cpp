#include "store/npy.hpp"

#include <bit>

namespace longhaul::store {

static_assert(std::endian::native == std::endian::little, "rows are written in memory order");

std::string npy_header(std::string_view descr, std::uint64_t rows,
                       std::optional<std::uint32_t> columns) {
  constexpr std::size_t kPreamble = 10;
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(kNpyHeaderBytes - kPreamble);
  header += '\0';
  header += "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (" +
            std::to_string(rows) + ", " + (columns ? std::to_string(*columns) : "") + "), }";
  header.resize(kNpyHeaderBytes - 1, ' ');
  return header + '\n';
}

}  // namespace longhaul::store
