#include "store/stamp_file.hpp"

#include <cstring>
#include <string>

#include "store/npy.hpp"
#include "store/store_layout.hpp"

namespace longhaul::store {
namespace {

std::uint64_t place_of(std::uint64_t row) {
  return kNpyHeaderBytes + row * sizeof(std::uint64_t);
}

}  // namespace

std::uint64_t stamp_mark(std::uint64_t stamp, const Hash128& content) {
  return hash64(to_hex(stamp) + to_hex(content));
}

StampFile::StampFile(Files& files, const std::string& path)
    : file_(files.open(path, OpenMode::kCreate)) {}

void StampFile::put(std::uint64_t row, std::uint64_t mark) {
  std::memcpy(file_.piece(place_of(row), sizeof(mark)).data(), &mark, sizeof(mark));
}

void StampFile::finish(std::uint64_t rows) {
  file_.flush();
  if (rows > 0 &&
      file_.read(place_of(rows - 1), sizeof(std::uint64_t)).size() < sizeof(std::uint64_t)) {
    put(rows - 1, 0);
  }
  file_.write_now(0, bytes_of(checksums_header(rows)));
  file_.sync();
}

}  // namespace longhaul::store
