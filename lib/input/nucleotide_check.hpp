// Whether sequences look like DNA or RNA: every base is also a residue's letter, so nothing else
// would notice. A value; any thread.
#pragma once

#include <cstddef>
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

// Whether one sequence by itself is DNA or RNA and no protein: letters of bases alone, all four of
// them, at least kFewestBases. A quarter of a protein's residues are such letters, so by chance 1
// of 10^11 of that length has no other; 37,087 different antibody chains hold no longer run of them
// than 10. What is not made by chance, poly-A or a silk's GAGAGA, lacks one of the four.
constexpr std::size_t kFewestBases = 20;
bool is_nucleotides(std::string_view sequence);

}  // namespace longhaul::input
