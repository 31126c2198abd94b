// Which records of an input a run embeds. run/rejected_rows.hpp has one more, which reads an
// output. One thread at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "domain/record.hpp"

namespace longhaul::input {

class Selection {
 public:
  virtual ~Selection() = default;
  // The same answer for a position whenever it is asked; quick when positions ascend. May throw
  // what reading the selection throws.
  virtual bool wants(std::uint64_t position, const Record& record) = 0;
  // How many it wants of an input of so many records, where that can be told.
  virtual std::optional<std::uint64_t> count_of(std::optional<std::uint64_t> records) const = 0;
};

class AllRecords : public Selection {
 public:
  bool wants(std::uint64_t, const Record&) override { return true; }
  std::optional<std::uint64_t> count_of(std::optional<std::uint64_t> records) const override {
    return records;
  }
};

// Blocks of consecutive records, good and bad alike, dealt by number: block b is shard
// b mod `count` + 1's.
class ShardBlocks : public Selection {
 public:
  static constexpr std::uint64_t kBlock = 64;
  // `index` from 1 to `count`, else Error(kInternal).
  ShardBlocks(std::uint64_t index, std::uint64_t count, std::uint64_t block = kBlock);

  bool wants(std::uint64_t position, const Record&) override {
    return position / block_ % count_ == number_;
  }
  std::optional<std::uint64_t> count_of(std::optional<std::uint64_t> records) const override;

 private:
  std::uint64_t number_;  // from 0
  std::uint64_t count_;
  std::uint64_t block_;
};

}  // namespace longhaul::input
