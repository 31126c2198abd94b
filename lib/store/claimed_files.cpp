#include "store/claimed_files.hpp"

#include "base/error.hpp"
#include "store/npy.hpp"

namespace longhaul::store {
namespace {

constexpr const char* kAnew = "restore it from a copy, or start anew with --overwrite";

}  // namespace

std::string ClaimedFiles::name_of(const OutputSpec& output, bool finished) const {
  const bool renamed = finished || files_.exists(in(array_file(output)));
  if (renamed && files_.exists(in(partial_file(output)))) {
    throw Error(ExitCode::kBadData,
                directory_ + " holds both " + array_file(output) + " and " + partial_file(output),
                kAnew);
  }
  return renamed ? array_file(output) : partial_file(output);
}

void ClaimedFiles::require_size(const std::string& name, std::uint64_t least) const {
  const std::string path = in(name);
  if (!files_.exists(path)) {
    throw Error(
        ExitCode::kBadData,
        path + " is missing, and the journal claims " + std::to_string(least) + " bytes of it",
        kAnew);
  }
  const std::uint64_t size = files_.open(path, OpenMode::kRead)->size();
  if (size < least) {
    throw Error(ExitCode::kBadData,
                path + " has " + std::to_string(size) + " bytes, and the journal claims " +
                    std::to_string(least),
                kAnew);
  }
}

void ClaimedFiles::require_sizes(bool finished) const {
  for (std::size_t i = 0; i < layout_.outputs.size(); ++i) {
    const OutputSpec& output = layout_.outputs[i];
    const ArrayClaim claim = claims_.array(i);
    if (output.kind == ArrayKind::kTokens) {
      require_size(offsets_file(output), kNpyHeaderBytes + (claim.rows + 1) * sizeof(std::int64_t));
    }
    require_size(name_of(output, finished), kNpyHeaderBytes + claim.vectors * vector_bytes(output));
  }
  require_size(store_files::kChecksums, kNpyHeaderBytes + claims_.extent * sizeof(std::uint64_t));
  require_size(store_files::kRecords, claims_.records_bytes);
  require_size(store_files::kRejects, claims_.rejects_bytes);
}

void ClaimedFiles::require_finished() const {
  require_sizes(true);
  for (std::size_t i = 0; i < layout_.outputs.size(); ++i) {
    const OutputSpec& output = layout_.outputs[i];
    const ArrayClaim claim = claims_.array(i);
    require_header(array_file(output), array_header(output, claim.vectors));
    if (output.kind == ArrayKind::kTokens) {
      require_header(offsets_file(output), offsets_header(claim.rows));
    }
  }
  require_header(store_files::kChecksums, checksums_header(claims_.extent));
}

void ClaimedFiles::require_header(const std::string& name, const std::string& expected) const {
  if (!has_header(*files_.open(in(name), OpenMode::kRead), expected)) {
    throw Error(ExitCode::kBadData,
                in(name) + " is damaged: its header is not that of the " +
                    std::to_string(claims_.extent) + " rows it holds",
                kAnew);
  }
}

void ClaimedFiles::take_names_back() const {
  for (const OutputSpec& output : layout_.outputs) {
    if (name_of(output, false) == array_file(output)) {
      files_.rename(in(array_file(output)), in(partial_file(output)));
    }
  }
}

}  // namespace longhaul::store
