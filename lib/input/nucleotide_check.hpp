// Whether sequences look like DNA or RNA: every base is also a residue's letter, so nothing else
// would notice. A value; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace longhaul::input {

class NucleotideCheck {
 public:
  void add(std::string_view sequence);
  // At least 95 % of the letters seen are A, C, G, T, U or N.
  bool looks_like_nucleotides() const;

 private:
  std::uint64_t letters_ = 0;
  std::uint64_t bases_ = 0;
};

}  // namespace longhaul::input
