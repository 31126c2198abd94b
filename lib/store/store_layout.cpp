#include "store/store_layout.hpp"

#include <optional>
#include <string_view>
#include <utility>

#include "store/npy.hpp"

namespace longhaul::store {
namespace {

constexpr std::string_view kArrayEnding = ".npy";
constexpr std::string_view kPartialEnding = ".partial";
constexpr std::string_view kNextEnding = ".next";

}  // namespace

StoreLayout single_vector(std::uint32_t dimension, OutputDtype dtype,
                          std::vector<std::string> kept_columns, const LaterColumns& later) {
  OutputSpec output;
  output.dimension = dimension;
  output.dtype = dtype;
  return {{std::move(output)}, std::move(kept_columns), later};
}

std::string array_file(const OutputSpec& output) {
  return output.name + std::string(kArrayEnding);
}

std::string partial_file(const OutputSpec& output) {
  return array_file(output) + std::string(kPartialEnding);
}

std::string offsets_file(const OutputSpec& output) {
  return (output.name == "tokens" ? "token" : output.name) + "_offsets" + std::string(kArrayEnding);
}

std::string next_file(const std::string& name) {
  return name + std::string(kNextEnding);
}

bool is_array_file(const std::string& name) {
  std::string_view plain = name;
  for (const std::string_view ending : {kPartialEnding, kNextEnding}) {
    if (plain.ends_with(ending)) {
      plain.remove_suffix(ending.size());
    }
  }
  return plain.ends_with(kArrayEnding) &&
         (plain.starts_with("embeddings.") || plain == "tokens.npy" ||
          plain == "token_offsets.npy" || plain == store_files::kChecksums);
}

std::string array_header(const OutputSpec& output, std::uint64_t vectors) {
  return npy_header(output.dtype == OutputDtype::kFp32 ? "<f4" : "<f2", vectors, output.dimension);
}

std::string offsets_header(std::uint64_t rows) {
  return npy_header("<i8", rows + 1, std::nullopt);
}

std::string checksums_header(std::uint64_t rows) {
  return npy_header("<u8", rows, std::nullopt);
}

std::string path_in(const std::string& directory, const std::string& name) {
  return directory + (directory.ends_with('/') ? "" : "/") + name;
}

}  // namespace longhaul::store
