// The index of an input: where each of its stretches of consecutive records begins, and the digest
// of each, so that several processes can read a part of the input each, prove that it is the one
// that was indexed, and know the digest of all of it. A file of JSON lines: a header, a line for
// each stretch, an end line; each line is checksummed together with the one before, so that none
// can be changed, missing or there twice.
// Values and free functions; one thread. Reading takes about 150 bytes for each stretch. Throw
// Error(kIo); reading throws kBadData for a file that is damaged, kMismatch for one of a later
// version.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "domain/left_out.hpp"
#include "input/record_reader.hpp"

namespace longhaul::input {

// What an index is of, and how that was read.
struct IndexHeader {
  static constexpr std::uint64_t kStretch = 4096;
  std::uint64_t stretch = kStretch;  // records of each but the last
  bool images = false;
  std::map<std::string, std::string> settings;  // those that find and read the input, as shown
  std::vector<std::uint64_t> source_bytes;      // of the source files, in order
};

// A place that a reader of the same input can be sent to.
struct IndexPlace {
  std::uint64_t row = 0;  // of the whole input
  std::string cursor;     // InputPosition::cursor
  LeftOut left_out;       // before it

  InputPosition position() const { return {row, row, cursor, left_out}; }
};

struct IndexStretch {
  IndexPlace begin;
  std::uint64_t records = 0;
  Hash128 digest;          // of them: they add up to the whole's (input_digest.hpp)
  std::uint64_t cost = 0;  // residues; of images, bytes
};

struct InputIndex {
  IndexHeader header;
  std::vector<IndexStretch> stretches;
  // Beginnings of source files: places to go to where a compressed file cannot be entered.
  std::vector<IndexPlace> sources;
  IndexPlace end;  // its row is the number of all records
  Hash128 digest;
  std::uint64_t cost = 0;
  std::vector<std::string> sha256;  // of the source files, in order; empty where there is none

  std::uint64_t records() const { return end.row; }
};

// Reads all of `input` and writes its index to an empty file. `each` hears of the records so far,
// and may throw to stop; `sha256` is asked at the end.
void write_index(RecordReader& input, const IndexHeader& header, File& file,
                 const std::function<void(std::uint64_t records)>& each,
                 const std::function<std::vector<std::string>()>& sha256);

// `remedy` is what to do about a file that is damaged.
InputIndex read_index(Files& files, const std::string& path, const std::string& remedy);

}  // namespace longhaul::input
