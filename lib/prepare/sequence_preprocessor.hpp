// Protein sequences to tokens, by the card's alphabet. Residues are trimmed and upper-cased, gaps
// are removed if asked, one final '*' is dropped; everything else that the alphabet lacks is a
// defect or, if asked, the unknown token. Letters that the card replaces are counted as
// substituted, as those are. What is certainly no residue is never the unknown token:
// white space, digits, gaps, '>', control characters.
// Const; any thread; never throws for a bad record.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "encode/card.hpp"
#include "plan/segments.hpp"
#include "prepare/preprocessor.hpp"

namespace longhaul::prepare {

// Residues that two windows of `length` share where nobody says how many.
constexpr std::uint32_t usual_overlap(std::uint32_t length) {
  return length / 4;
}

struct SequencePolicy {
  std::optional<std::uint32_t> max_tokens;    // special tokens included
  bool limit_is_models = false;               // max_tokens cannot be raised
  bool truncate = false;                      // keep the first residues of what is too long
  bool windows = false;                       // or compute all of it, in overlapping windows
  std::optional<std::uint32_t> overlap = {};  // of these, in residues; nothing: a quarter
  bool substitute_unknown = false;            // characters outside the alphabet become [UNK]
  bool remove_gaps = false;                   // '-' and '.' are left out
  bool nucleotides_expected = false;          // then none are noticed
};

class SequencePreprocessor : public Preprocessor {
 public:
  // Throws Error(kBadData) when the alphabet cannot serve: no unknown token though one is asked
  // for, an allowed character that is no token; Error(kUsage) for max_tokens too small for one
  // residue, and an overlap of windows that are no longer.
  SequencePreprocessor(const encode::Alphabet& alphabet, const SequencePolicy& policy);

  Prepared measure(Record record) const override;
  Assembled assemble(std::span<const Row> rows, std::uint32_t width,
                     std::uint32_t filled) const override;
  nlohmann::json report() const override;

 private:
  std::optional<Defect> tokenize(std::string_view residues, Prepared& out) const;
  void put_segment(const Row& row, std::uint32_t at, encode::HostBatch& batch) const;
  Defect invalid(std::string_view residues, std::size_t at) const;

  std::array<std::int32_t, 256> token_of_{};  // -1: not allowed
  std::array<bool, 256> replaced_{};          // read as another letter, as the card says
  std::uint16_t pad_ = 0;
  std::optional<std::uint16_t> unknown_;  // set only when the policy substitutes
  bool can_substitute_ = false;           // whether asking for that would help
  std::optional<std::uint16_t> prepend_;
  std::optional<std::uint16_t> append_;
  std::uint32_t special_tokens_ = 0;
  SequencePolicy policy_;
  std::optional<plan::SegmentPolicy> segments_;  // where what is too long is cut
};

}  // namespace longhaul::prepare
