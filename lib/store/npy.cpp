#include "store/npy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/float16.hpp"

namespace longhaul::store {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are read as they lie in memory");

constexpr std::string_view kMagic = "\x93NUMPY";

struct ItemType {
  std::string_view name;
  std::size_t bytes;
  double (*read)(const char*);
};

double read_half(const char* at) {
  std::uint16_t half = 0;
  std::memcpy(&half, at, sizeof(half));
  return static_cast<double>(from_half(half));
}

template <typename T>
double read_as(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return static_cast<double>(value);
}

constexpr std::array kTypes{
    ItemType{"<f4", 4, read_as<float>},
    ItemType{"<f8", 8, read_as<double>},
    ItemType{"<f2", 2, read_half},
    ItemType{"<i4", 4, read_as<std::int32_t>},
    ItemType{"<i8", 8, read_as<std::int64_t>},
};

[[noreturn]] void refuse(const std::string& where, const std::string& why) {
  throw Error(ExitCode::kBadData, where + " is not a readable .npy array: " + why,
              "write it with numpy.save, as float32 or float64 in C order");
}

const ItemType& item_type(std::string_view name, const std::string& where) {
  for (const ItemType& type : kTypes) {
    if (type.name == name) {
      return type;
    }
  }
  refuse(where, "its type is '" + printable(name) + "'");
}

// The text after `'key':` in the header's Python dictionary, which numpy always writes alike.
std::string_view value_of(std::string_view dictionary, std::string_view key,
                          const std::string& where) {
  const std::string quoted = "'" + std::string(key) + "':";
  const std::size_t at = dictionary.find(quoted);
  if (at == std::string_view::npos) {
    refuse(where, "its header has no " + std::string(key));
  }
  std::string_view value = dictionary.substr(at + quoted.size());
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value;
}

std::vector<std::uint64_t> parse_shape(std::string_view text, const std::string& where) {
  const std::size_t end = text.find(')');
  if (text.empty() || text.front() != '(' || end == std::string_view::npos) {
    refuse(where, "its shape cannot be read");
  }
  text = text.substr(1, end - 1);
  std::vector<std::uint64_t> shape;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view number = text.substr(0, comma);
    number.remove_prefix(std::min(number.find_first_not_of(' '), number.size()));
    if (!number.empty()) {
      const auto extent = parse_count(number);
      if (!extent) {
        refuse(where, "its shape cannot be read");
      }
      shape.push_back(*extent);
    }
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return shape;
}

}  // namespace

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

std::uint64_t NpyHeader::count() const {
  std::uint64_t product = 1;
  for (const std::uint64_t extent : shape) {
    product *= extent;
  }
  return product;
}

std::size_t NpyHeader::item_bytes() const {
  return item_type(type, "an array").bytes;
}

bool has_header(File& file, const std::string& header) {
  std::string found(header.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(found.data(), found.size())));
  return found == header;
}

NpyHeader parse_npy_header(std::string_view start, const std::string& where) {
  const auto byte = [&](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(start[at]));
  };
  if (start.size() < 12 || !start.starts_with(kMagic)) {
    refuse(where, "it does not begin with the format's mark");
  }
  const std::size_t version = byte(6);
  if (version < 1 || version > 3) {
    refuse(where, "format version " + std::to_string(version));
  }
  const std::size_t before = version == 1 ? 10 : 12;
  const std::size_t length = version == 1
                                 ? byte(8) | byte(9) << 8
                                 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (before + length > start.size()) {
    refuse(where, "its header is cut short");
  }
  const std::string_view dictionary = start.substr(before, length);

  NpyHeader header;
  std::string_view type = value_of(dictionary, "descr", where);
  const std::size_t quote = type.find('\'', 1);
  if (!type.starts_with('\'') || quote == std::string_view::npos) {
    refuse(where, "its type is not a plain number");
  }
  header.type = item_type(type.substr(1, quote - 1), where).name;
  if (!value_of(dictionary, "fortran_order", where).starts_with("False")) {
    refuse(where, "it is in Fortran order");
  }
  header.shape = parse_shape(value_of(dictionary, "shape", where), where);
  std::uint64_t room = std::numeric_limits<std::uint64_t>::max() / 8;
  for (const std::uint64_t extent : header.shape) {
    if (extent > 0 && (room /= extent) == 0) {
      refuse(where, "its shape is impossibly large");
    }
  }
  header.data_offset = before + length;
  return header;
}

void npy_to_double(const NpyHeader& header, std::string_view bytes, std::span<double> values) {
  const ItemType type = item_type(header.type, "an array");
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = type.read(bytes.data() + i * type.bytes);
  }
}

}  // namespace longhaul::store
