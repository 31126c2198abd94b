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

struct ExpectedRecords {
  double rows = 0;
  double residues = 0;  // that will have a vector
};
// Of a whole input, about: as many as the first records have, for their share of its bytes. Reads a
// few MB; not for a stream, which would be used up.
ExpectedRecords records_to_come(input::RecordReader& reader,
                                const prepare::Preprocessor& preprocessor,
                                std::uint64_t records = 1 << 16);

struct ExpectedOutput {
  std::vector<OutputSpec> outputs;
  std::uint64_t rows = 0;   // as many as are known of
  double residues = 0;      // about
  bool all_shards = false;  // rows and residues are those of all shards of an input
};
// Of a run that begins; `output` is OUT. Where all shards are counted, less what others have
// written already: they share the disk. What residues will need is said.
void require_space(Files& files, const std::string& output, const ExpectedOutput& expected,
                   Log& log);

// For a retry: residues of an output are written anew, beside the old ones.
void require_room_for_residues_anew(Files& files, const std::string& output,
                                    const store::StoreLayout& layout);

}  // namespace longhaul::session
