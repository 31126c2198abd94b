// The files of an output directory against what its journal claims of them: a quick look at names,
// sizes and headers, not at what is in them (that is verify's). Borrows all it is given; one
// thread. What is not as it is claimed is Error(kBadData) and names the file.
#pragma once

#include <cstdint>
#include <string>

#include "base/files.hpp"
#include "store/journal_state.hpp"

namespace longhaul::store {

class ClaimedFiles {
 public:
  ClaimedFiles(Files& files, const std::string& directory, const StoreLayout& layout,
               const FileClaims& claims)
      : files_(files), directory_(directory), layout_(layout), claims_(claims) {}

  // Of a run that goes on: an array has one name of two, since a finish may have begun.
  void require_unfinished() const { require_sizes(false); }
  // Of a run that does no work any more.
  void require_finished() const;
  // A finish that did not end renamed arrays: undone.
  void take_names_back() const;

 private:
  std::string in(const std::string& name) const { return path_in(directory_, name); }
  std::string name_of(const OutputSpec& output, bool finished) const;
  void require_sizes(bool finished) const;
  void require_size(const std::string& name, std::uint64_t least) const;
  void require_header(const std::string& name, const std::string& expected) const;

  Files& files_;
  const std::string& directory_;
  const StoreLayout& layout_;
  const FileClaims& claims_;
};

}  // namespace longhaul::store
