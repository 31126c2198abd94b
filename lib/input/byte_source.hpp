// Bytes of one input, one block after another: a file, a pipe, or either one decompressed.
// One thread at a time. Failing reads are Error(kIo) with the path and the byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "input/source_identity.hpp"

namespace longhaul::input {

enum class Compression { kNone, kGzip, kZstd, kBzip2, kLz4, kXz };

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Fills as much of `into` as is at hand, at least one byte; 0 means the end.
  virtual std::size_t read(std::span<char> into) = 0;
  // Goes on from this byte. False, with nothing moved, where that is impossible.
  virtual bool seek(std::uint64_t offset) = 0;
  // How far reading is in the file as it is stored (compressed bytes of a compressed file).
  virtual std::uint64_t stored_bytes_read() const = 0;
};

// A file, or a pipe or device with a name; "-" is standard input, which is always a stream.
// A regular file whose size or modification time changes while it is read is an Error(kIo): half
// of what was read would belong to another file. `stop`, when given, ends a wait on a stream
// with Error(kInterrupted); it must outlive the source.
std::unique_ptr<ByteSource> open_byte_source(const std::string& path,
                                             std::function<bool()> stop = {});

// What `path` is now. Throws Error(kIo) when it cannot be looked at.
SourceIdentity identify_source(const std::string& path);

}  // namespace longhaul::input
