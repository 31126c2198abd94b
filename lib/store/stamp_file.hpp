// stamps.npy, of a run of images: beside each row that has a vector, a hash of what its file was
// (input::stamp_of) and of the content that was embedded. By it --reuse tells, without reading an
// image, that it is the one of that row.
// It is a hint: no journal claims it, and a number that was lost or is an old one's fits no content
// and is as good as none, so that the image is read. One thread. Throws Error(kIo).
#pragma once

#include <cstdint>
#include <string>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "store/array_reader.hpp"
#include "store/gathered_file.hpp"

namespace longhaul::store {

// What stands there.
std::uint64_t stamp_mark(std::uint64_t stamp, const Hash128& content);

class StampFile {
 public:
  StampFile(Files& files, const std::string& path);

  void put(std::uint64_t row, std::uint64_t mark);
  // Writes what is gathered, and does not wait for it.
  void flush() { file_.flush(); }
  // Header and size of an array of so many rows. Durable when it returns.
  void finish(std::uint64_t rows);

 private:
  GatheredFile file_;
};

// An array of uint64 by row, as the checksums are one.
using StampReader = ChecksumReader;

}  // namespace longhaul::store
