// What an input holds that makes no record, counted by kind: ".txt files", "hidden files", "blank
// rows". Everything an input holds ends as a row, a reject or a count here.
// A value; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace longhaul {

// Kinds are plural nouns.
class LeftOut {
 public:
  LeftOut() = default;
  explicit LeftOut(std::map<std::string, std::uint64_t> counts) : counts_(std::move(counts)) {}

  // An input of any number of endings is counted in bounded memory: what is new once there are
  // kMostKinds is "other files".
  static constexpr std::size_t kMostKinds = 100;
  void add(std::string_view kind, std::uint64_t count = 1);
  void add(const LeftOut& more);
  // A file or a tar member that is passed over for its name: ".txt files", "hidden files", "files
  // without an ending".
  void add_file(std::string_view path);

  // Without what was counted before.
  LeftOut since(const LeftOut& before) const;

  bool empty() const { return counts_.empty(); }
  std::uint64_t total() const;
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }
  friend bool operator==(const LeftOut&, const LeftOut&) = default;

 private:
  std::map<std::string, std::uint64_t> counts_;
};

// "3 .txt files, 1 hidden file".
std::string to_string(const LeftOut& left_out);

// Whether an entry of a folder is left out for its name alone: ".x", "._x", ".ipynb_checkpoints",
// "__MACOSX".
bool is_hidden_name(std::string_view name);
// The same of any part of a path within an archive.
bool is_hidden_path(std::string_view path);

}  // namespace longhaul
