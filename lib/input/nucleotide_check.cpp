#include "input/nucleotide_check.hpp"

#include <array>

namespace longhaul::input {
namespace {

// Of fewer letters nothing can be told: AC is a peptide too.
constexpr std::uint64_t kFewest = 8;

enum Kind : std::uint8_t { kOther, kLetter, kBase };

constexpr std::array<Kind, 256> make_kinds() {
  std::array<Kind, 256> kinds{};
  for (unsigned c = 'A'; c <= 'Z'; ++c) {
    kinds[c] = kinds[c + 'a' - 'A'] = kLetter;
  }
  for (const char c : {'A', 'C', 'G', 'T', 'U', 'N'}) {
    const auto upper = static_cast<unsigned>(c);
    kinds[upper] = kinds[upper + 'a' - 'A'] = kBase;
  }
  return kinds;
}
constexpr std::array<Kind, 256> kKinds = make_kinds();

}  // namespace

void NucleotideCheck::add(std::string_view sequence) {
  for (const char c : sequence) {
    const Kind kind = kKinds[static_cast<unsigned char>(c)];
    letters_ += kind != kOther ? 1 : 0;
    bases_ += kind == kBase ? 1 : 0;
  }
}

bool NucleotideCheck::looks_like_nucleotides() const {
  return letters_ >= kFewest && 100 * bases_ >= 95 * letters_;
}

bool is_nucleotides(std::string_view sequence) {
  std::array<bool, 256> seen{};
  for (const char c : sequence) {
    const auto letter = static_cast<unsigned char>(c);
    if (kKinds[letter] != kBase) {
      return false;
    }
    seen[letter & ~0x20U] = true;  // in upper case
  }
  return sequence.size() >= kFewestBases && seen['A'] && seen['C'] && seen['G'] &&
         (seen['T'] || seen['U']);
}

}  // namespace longhaul::input
