// What a source file was when it was opened. Path and times never make two inputs differ; they say
// whether what was read before can be trusted without reading it again. A value; any thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

namespace longhaul::input {

struct SourceIdentity {
  std::string path;
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  // of the file's entry (ctime), which nobody can set back
  std::uint64_t inode = 0;
  bool regular = false;     // false: a stream, which cannot be looked at twice
  std::string format = {};  // in which its records are read; empty where that is no question
};

// None of them a stream.
inline bool are_files(std::span<const SourceIdentity> sources) {
  return std::all_of(sources.begin(), sources.end(),
                     [](const SourceIdentity& source) { return source.regular; });
}

}  // namespace longhaul::input
