// The rows that rejects.csv of an output names: what a retry embeds. It is in this room because it
// reads an output. Forgets nothing and holds one line: going back reads the file again.
// One thread. Throws Error(kBadData) for a rejects.csv that is damaged.
#pragma once

#include <optional>
#include <string>

#include "base/files.hpp"
#include "input/selection.hpp"
#include "store/record_cursor.hpp"

namespace longhaul::run {

class RejectedRows : public input::Selection {
 public:
  // `rejected` is how many rows the file `rejects` names. `files` must outlive it.
  RejectedRows(Files& files, const std::string& rejects, std::uint64_t rejected);

  bool wants(std::uint64_t position, const Record& record) override;
  std::optional<std::uint64_t> count_of(std::optional<std::uint64_t>) const override {
    return rejected_;
  }

 private:
  void rewind();
  void advance();

  Files& files_;
  std::string name_;
  std::uint64_t rejected_;
  std::optional<store::RejectCursor> rows_;
  std::optional<std::uint64_t> row_;  // the first that was not passed; nothing past the last
  std::uint64_t asked_ = 0;           // the position asked for last
};

}  // namespace longhaul::run
