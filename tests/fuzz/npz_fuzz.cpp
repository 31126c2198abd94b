// The .npz archive and its arrays: what is read is written and read again as the same.
#include <cstring>
#include <limits>

#include "base/error.hpp"
#include "fuzz/property.hpp"
#include "score/npy.hpp"
#include "score/npz.hpp"

using namespace longhaul;
using namespace longhaul::score;

namespace {

// Runs `read`; what it cannot read is bad data, with a remedy.
template <typename Read>
void try_to(Read&& read) {
  try {
    read();
  } catch (const Error& error) {
    fuzz::require(error.code() == ExitCode::kBadData && !error.remedy().empty(),
                  "a bad archive is bad data, with a remedy", error.what());
  }
}

void check_array(std::string_view bytes) {
  const NpyArray array = parse_npy(bytes, "x");
  const std::size_t axes = array.shape.size();
  constexpr std::uint64_t kMostColumns = std::numeric_limits<std::uint32_t>::max();
  if (axes == 0 || axes > 2 || (axes == 2 && array.shape[1] > kMostColumns)) {
    return;  // more than write_npy() takes
  }
  const NpyArray again = parse_npy(write_npy(array.shape, array.values), "x");
  fuzz::require(again.shape == array.shape, "an array keeps its shape");
  fuzz::require(again.values.size() == array.values.size(), "an array keeps its size");
  fuzz::require(array.values.empty() || std::memcmp(again.values.data(), array.values.data(),
                                                    array.values.size() * sizeof(double)) == 0,
                "an array keeps its bits");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  try_to([&] { check_array(bytes); });
  try_to([&] {
    const ZipEntries entries = read_stored_zip(bytes, "x");
    const std::string written = write_stored_zip(entries);
    fuzz::require(read_stored_zip(written, "x") == entries, "an archive keeps its entries");
    for (const auto& entry : entries) {
      try_to([&] { check_array(entry.second); });
    }
  });
  return 0;
}
