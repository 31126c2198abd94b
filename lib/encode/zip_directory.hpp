// The entries of a zip archive, from its central directory, Zip64 included. Nothing is unpacked.
// Values only; any thread. Foreign bytes are expected: what is not as it should be gives nothing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace longhaul::encode {

struct ZipEntry {
  std::string name;
  std::uint64_t offset = 0;  // of its local header
  std::uint64_t bytes = 0;   // as stored
  bool compressed = false;
};

// Nothing when the file has no whole central directory, as a file that was cut off.
std::optional<std::vector<ZipEntry>> read_zip_directory(const std::filesystem::path& path);

// The first `limit` bytes of an entry that is stored as it is; empty for any other.
std::string read_zip_entry(const std::filesystem::path& path, const ZipEntry& entry,
                           std::size_t limit);

}  // namespace longhaul::encode
