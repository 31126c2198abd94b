// Compares a text file with the hash of each addition that the journal claims, as the journal
// passes by. One thread; findings go to the Verification it was given.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/files.hpp"
#include "store/output_reader.hpp"
#include "store/verify.hpp"

namespace longhaul::store {

class TextFileVerifier {
 public:
  TextFileVerifier(Files& files, std::string path, Verification& result);

  // What was added up to `bytes` has this hash.
  void commit(std::uint64_t bytes, std::uint64_t hash);
  // Nothing follows the last addition.
  void check_end();

 private:
  std::string path_;
  Verification& result_;
  std::unique_ptr<File> file_;
  std::uint64_t end_ = 0;
  bool failed_ = false;
};

// records.csv and rejects.csv of an output in which a run was begun, against all that its journal
// claims of them.
void verify_tables(Files& files, const OutputReader& output, Verification& result);

}  // namespace longhaul::store
