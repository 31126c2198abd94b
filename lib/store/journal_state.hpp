// What a journal says, beyond what the run needs to know (StoreState): the sizes of the files.
// Pure reading; any thread. Damage is Error(kBadData).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "store/array_sink.hpp"
#include "store/embedding_store.hpp"
#include "store/journal.hpp"

namespace longhaul::store {

// What one commit claims of the files, beside the run's Progress.
struct FileClaims {
  std::uint64_t extent = 0;  // rows that all arrays and the checksums hold at least
  std::uint64_t records_bytes = 0;
  std::uint64_t records_hash = 0;  // of what was added since the commit before
  std::uint64_t rejects_bytes = 0;
  std::uint64_t rejects_hash = 0;
  // Of each output, in the layout's order; empty where none is of kTokens: each is `extent` rows.
  std::vector<ArrayClaim> arrays = {};

  ArrayClaim array(std::size_t output) const {
    return arrays.empty() ? ArrayClaim{extent, extent} : arrays.at(output);
  }
};

nlohmann::ordered_json to_json(const FileClaims& claims);
FileClaims claims_from_json(const nlohmann::json& commit);

struct JournalState {
  StoreState run;
  FileClaims claims;  // of the last commit
  JournalEnd end;
};

// Nothing when not even the first line is whole.
std::optional<JournalState> read_journal(File& file, const std::string& name);

// The object of a line whose checksum was right.
nlohmann::json parse_journal_line(const std::string& name, const JournalLine& line);

}  // namespace longhaul::store
