#include "score/npy.hpp"

#include <optional>

#include "base/error.hpp"
#include "store/npy.hpp"

namespace longhaul::score {
namespace {

std::string with_header(std::string_view type, const std::vector<std::uint64_t>& shape,
                        std::string_view data) {
  std::optional<std::uint32_t> columns;
  if (shape.size() == 2) {
    columns = static_cast<std::uint32_t>(shape[1]);
  }
  return store::npy_header(type, shape[0], columns).append(data);
}

}  // namespace

NpyArray parse_npy(std::string_view bytes, const std::string& where) {
  const store::NpyHeader header = store::parse_npy_header(bytes, where);
  const std::string_view data = bytes.substr(header.data_offset);
  if (data.size() != header.count() * header.item_bytes()) {
    throw Error(ExitCode::kBadData,
                where + " is not a readable .npy array: it holds " + std::to_string(data.size()) +
                    " bytes of data instead of " +
                    std::to_string(header.count() * header.item_bytes()),
                "write it with numpy.save, as float32 or float64 in C order");
  }
  NpyArray array{header.shape, std::vector<double>(header.count())};
  store::npy_to_double(header, data, array.values);
  return array;
}

std::string write_npy(const std::vector<std::uint64_t>& shape, std::span<const double> values) {
  return with_header("<f8", shape,
                     {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

std::string write_npy(const std::vector<std::uint64_t>& shape,
                      std::span<const std::int64_t> values) {
  return with_header("<i8", shape,
                     {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
}

}  // namespace longhaul::score
