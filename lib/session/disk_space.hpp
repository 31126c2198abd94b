// Whether what a run will write fits on its disk, found before anything is written.
// Free functions; one thread. Throw Error(kIo) with needed and free bytes where it does not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/log.hpp"
#include "domain/output_spec.hpp"
#include "input/record_reader.hpp"
#include "prepare/preprocessor.hpp"
#include "store/store_layout.hpp"

namespace longhaul::session {

// How many residues will have a vector: as many as those of the first records, for their share of
// the input's bytes. Reads a few MB; nothing is told of a stream, which would be used up.
double residues_to_come(input::RecordReader& reader, const prepare::Preprocessor& preprocessor,
                        std::uint32_t special_tokens, std::uint64_t records = 1 << 16);

struct ExpectedOutput {
  std::vector<OutputSpec> outputs;
  std::uint64_t rows = 0;    // as many as are known of
  double residues = 0;       // about
  std::uint64_t shards = 0;  // 0: a single run
};
// Of a run that begins; `output` is OUT. Of a shard all are counted, less what others have
// written already: they share the disk. What residues will need is said.
void require_space(Files& files, const std::string& output, const ExpectedOutput& expected,
                   Log& log);

// For a retry: residues of an output are written anew, beside the old ones.
void require_room_for_residues_anew(Files& files, const std::string& output,
                                    const store::StoreLayout& layout);

}  // namespace longhaul::session
