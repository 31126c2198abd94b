#include "session/disk_space.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "base/text.hpp"
#include "store/shards.hpp"

namespace longhaul::session {
namespace {

constexpr std::uint64_t kTableBytes = 160;  // of a row, about: its line of records.csv
constexpr std::uint64_t kChecksumBytes = 8;

std::uint64_t file_bytes(Files& files, const std::string& path) {
  return files.exists(path) ? files.open(path, OpenMode::kRead)->size() : 0;
}

// Of an array that another process may be finishing or beginning anew: gone between two looks it
// counts for nothing.
std::uint64_t bytes_in_use(Files& files, const std::string& path) {
  try {
    return file_bytes(files, path);
  } catch (const Error&) {
    return 0;
  }
}

std::uint64_t array_bytes(Files& files, const std::string& directory,
                          const std::vector<OutputSpec>& outputs) {
  std::uint64_t bytes = 0;
  for (const OutputSpec& output : outputs) {
    const std::uint64_t partial =
        bytes_in_use(files, store::path_in(directory, store::partial_file(output)));
    bytes += std::max(partial,
                      bytes_in_use(files, store::path_in(directory, store::array_file(output))));
  }
  return bytes;
}

std::uint64_t bytes_in_shards(Files& files, const std::string& output,
                              const std::vector<OutputSpec>& outputs) {
  std::uint64_t bytes = 0;
  for (const Shard& shard : store::list_shards(files, output)) {
    bytes += array_bytes(files, store::shard_directory(output, shard), outputs);
  }
  return bytes;
}

std::string residues_text(double residues) {
  return format_count(static_cast<std::uint64_t>(std::llround(residues))) + " residues";
}

}  // namespace

ExpectedRecords records_to_come(input::RecordReader& reader,
                                const prepare::Preprocessor& preprocessor, std::uint64_t records) {
  ExpectedRecords seen;
  for (std::uint64_t read = 0; read < records; ++read) {
    std::optional<Record> record = reader.next();
    if (!record) {
      return seen;
    }
    const prepare::Prepared prepared = preprocessor.measure(std::move(*record));
    seen.residues += prepared.defect ? 0 : prepared.length;
    ++seen.rows;
  }
  const input::InputProgress progress = reader.progress();
  const auto bytes = static_cast<double>(std::max<std::uint64_t>(progress.bytes_read, 1));
  const double share =
      progress.records_total
          ? static_cast<double>(*progress.records_total) / static_cast<double>(records)
          : static_cast<double>(progress.bytes_total.value_or(progress.bytes_read)) / bytes;
  return {seen.rows * share, seen.residues * share};
}

void require_space(Files& files, const std::string& output, const ExpectedOutput& expected,
                   Log& log) {
  std::uint64_t per_row = kTableBytes + kChecksumBytes;
  double of_residues = 0;
  for (const OutputSpec& array : expected.outputs) {
    if (array.kind == ArrayKind::kTokens) {
      of_residues += expected.residues * static_cast<double>(vector_bytes(array));
    } else {
      per_row += vector_bytes(array);
    }
  }
  const auto residue_bytes = static_cast<std::uint64_t>(of_residues);
  std::uint64_t needed = expected.rows * per_row + residue_bytes;
  if (expected.all_shards) {
    needed -= std::min(needed, bytes_in_shards(files, output, expected.outputs));
  }
  const std::optional<std::uint64_t> free = files.free_bytes(output);
  if (free && *free < needed) {
    throw Error(ExitCode::kIo,
                "not enough disk for " + printable(output, 400) + ": " + format_bytes(needed) +
                    (expected.all_shards ? " more" : "") + " needed for " +
                    (residue_bytes > 0 ? "about " + residues_text(expected.residues)
                                       : format_count(expected.rows) + " records") +
                    (expected.all_shards ? " in all shards" : "") + ", " + format_bytes(*free) +
                    " free",
                "free some space or choose another --output");
  }
  if (residue_bytes > 0) {
    log.info("tokens.npy will need about " + format_bytes(residue_bytes) + " for " +
             residues_text(expected.residues) +
             (expected.all_shards ? " in all shards, and to merge them as much again, or with "
                                    "--remove-shards that of one"
                                  : ""));
  }
}

void require_room_for_residues_anew(Files& files, const std::string& output,
                                    const store::StoreLayout& layout) {
  std::uint64_t needed = 0;
  for (const OutputSpec& array : layout.outputs) {
    if (array.kind == ArrayKind::kTokens) {
      needed += file_bytes(files, store::path_in(output, store::array_file(array))) +
                file_bytes(files, store::path_in(output, store::offsets_file(array)));
    }
  }
  const std::optional<std::uint64_t> free = files.free_bytes(output);
  if (free && *free < needed) {
    throw Error(ExitCode::kIo,
                "not enough disk to retry records of " + printable(output, 400) +
                    ": its residues are written anew beside the old ones, " + format_bytes(needed) +
                    " needed, " + format_bytes(*free) + " free",
                "free some space; the output is as it was");
  }
}

}  // namespace longhaul::session
