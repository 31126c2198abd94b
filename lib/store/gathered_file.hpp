// A file that is written piece by piece, each piece at its place: pieces are gathered, and written
// in runs in the order of their places. A piece that is put again replaces itself; two that overlap
// otherwise are misuse. Memory is what is gathered, bounded. One thread. Failures of the file
// system are Error(kIo).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/files.hpp"

namespace longhaul::store {

class GatheredFile {
 public:
  explicit GatheredFile(std::unique_ptr<File> file) : file_(std::move(file)) {}

  // The bytes to fill, valid until the next call.
  std::span<std::byte> piece(std::uint64_t offset, std::size_t size);
  // What is there, written or gathered; fewer bytes only where the file ends before.
  std::vector<std::byte> read(std::uint64_t offset, std::size_t size);
  void flush();
  void sync();
  void cut(std::uint64_t size);
  // At once, in front of what was gathered: a header.
  void write_now(std::uint64_t offset, std::span<const std::byte> bytes);

 private:
  struct Piece {
    std::size_t at = 0;  // in gathered_
    std::size_t size = 0;
  };
  void write_run(std::uint64_t offset);

  std::unique_ptr<File> file_;
  std::map<std::uint64_t, Piece> pending_;  // by place
  std::vector<std::byte> gathered_;
  std::vector<std::byte> run_;
  bool dirty_ = true;
};

}  // namespace longhaul::store
