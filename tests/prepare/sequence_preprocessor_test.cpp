#include "prepare/sequence_preprocessor.hpp"

#include <catch2/catch.hpp>

#include "base/error.hpp"

using namespace longhaul;
using namespace longhaul::prepare;

namespace {

encode::Alphabet small_alphabet() {
  encode::Alphabet alphabet;
  alphabet.tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "A", "C", "D"};
  alphabet.pad = 0;
  alphabet.unknown = 1;
  alphabet.prepend = 2;
  alphabet.append = 3;
  alphabet.allowed = "ACD";
  return alphabet;
}

Prepared measured(const std::string& residues, const SequencePolicy& policy = {}) {
  Record record;
  record.payload = residues;
  return SequencePreprocessor(small_alphabet(), policy).measure(record);
}

using Ids = std::vector<std::uint16_t>;

}  // namespace

TEST_CASE("residues become tokens between the special ones") {
  const Prepared prepared = measured("ACD");
  CHECK(prepared.token_ids == Ids{2, 4, 5, 6, 3});
  CHECK(prepared.length == 3);
  CHECK(prepared.tokens == 5);
  CHECK_FALSE(prepared.defect);
}

TEST_CASE("case, surrounding blanks and one final stop do not matter") {
  CHECK(measured(" acD* \r").token_ids == Ids{2, 4, 5, 6, 3});
  CHECK(measured("ACD*").stop_dropped);
  CHECK_FALSE(measured("ACD").stop_dropped);
  CHECK(measured("acd").hash == measured("ACD").hash);
  CHECK(measured("A*C").defect->reason == Reason::kInvalidCharacter);
  CHECK(measured("AC**").defect->reason == Reason::kInvalidCharacter);
}

TEST_CASE("what the alphabet lacks is named with its place") {
  const Prepared gap = measured("AC-D");
  REQUIRE(gap.defect);
  CHECK(gap.defect->reason == Reason::kInvalidCharacter);
  CHECK(gap.defect->message == "'-' (a gap) at residue 3 of 4");
  CHECK(gap.token_ids.empty());
  CHECK(measured("").defect->reason == Reason::kEmpty);
  CHECK(measured("  ").defect->reason == Reason::kEmpty);
  CHECK(measured("*").defect->reason == Reason::kEmpty);
  CHECK(measured(" ** ").defect->reason == Reason::kEmpty);
}

TEST_CASE("letters that the card replaces are read as the other one and counted") {
  encode::Alphabet alphabet = small_alphabet();
  alphabet.replace = {{'B', 'D'}, {'Z', 'A'}};
  const SequencePreprocessor preprocessor(alphabet, {.max_tokens = {}});
  Record record;
  record.payload = "AbZ";
  const Prepared prepared = preprocessor.measure(std::move(record));
  CHECK(prepared.token_ids == Ids{2, 4, 6, 4, 3});
  CHECK(prepared.substituted == 2);
  CHECK(prepared.length == 3);
  CHECK(measured("AZ").defect);
}

TEST_CASE("unknown characters are substituted and counted when asked") {
  const Prepared prepared = measured("AZ?D", {.max_tokens = {}, .substitute_unknown = true});
  CHECK(prepared.token_ids == Ids{2, 4, 1, 1, 6, 3});
  CHECK(prepared.substituted == 2);
}

TEST_CASE("a character beyond ASCII is one residue, whatever its bytes") {
  const SequencePolicy token{.max_tokens = 5, .substitute_unknown = true};
  const Prepared beta =
      measured("A\xce\xb2\xf0\x9d\x94\xb8", token);  // beta, a letter of four bytes
  CHECK(beta.token_ids == Ids{2, 4, 1, 1, 3});
  CHECK(beta.substituted == 2);
  CHECK(beta.length == 3);
  CHECK(measured("A\xce\xb2"
                 "C")
            .defect->message == "'\xce\xb2' (U+03B2) at residue 2 of 3");
  CHECK(measured("\xce\xb2"
                 "AZ")
            .defect->message.ends_with("at residue 1 of 3"));
  CHECK(remedy(*measured("A\xce\xb2").defect).find("--unknown token") != std::string_view::npos);
  CHECK(measured("\xce\xb2\xce\xb2\xce\xb2\xce\xb2", token).defect->message ==
        "4 residues; the limit is 3");
  const SequencePolicy cut{.max_tokens = 4, .truncate = true, .substitute_unknown = true};
  CHECK(measured("\xce\xb2\xce\xb2"
                 "A",
                 cut)
            .token_ids == Ids{2, 1, 1, 3});
  CHECK(measured("*", token).defect->reason == Reason::kEmpty);
  for (const char* space : {"\xc2\xa0", "\xe2\x80\x8b", "\xef\xbb\xbf", "\xe3\x80\x80"}) {
    CAPTURE(space);
    REQUIRE(measured("A" + std::string(space), token).defect);
    CHECK(remedy(*measured("A" + std::string(space)).defect) ==
          "take white space out of the sequence");
  }
  const Prepared dash = measured("A\xe2\x80\x93", token);
  REQUIRE(dash.defect);
  CHECK(remedy(*measured("A\xe2\x80\x93").defect).find("--unknown") == std::string_view::npos);
}

TEST_CASE("what is certainly no residue is never the unknown token, and the remedy is another") {
  const SequencePolicy token{.max_tokens = {}, .substitute_unknown = true};
  const std::vector<std::string> texts = {
      "A-D", "A.D", "A D", "A\tD", "A1D", "A>D", std::string("A\0D", 3)};
  for (const std::string& text : texts) {
    CAPTURE(text);
    REQUIRE(measured(text, token).defect);
    CHECK(measured(text, token).defect->reason == Reason::kInvalidCharacter);
    CHECK(remedy(*measured(text).defect).find("--unknown") == std::string_view::npos);
  }
  CHECK(remedy(*measured("A-D").defect).find("--gaps remove") != std::string_view::npos);
  CHECK(remedy(*measured("A D").defect).find("white space") != std::string_view::npos);
  CHECK(remedy(*measured("A1D").defect).find("numbers") != std::string_view::npos);
  CHECK(remedy(*measured("AZD").defect).find("--unknown token") != std::string_view::npos);
  Record record;
  record.payload = "AZD";
  encode::Alphabet without = small_alphabet();
  without.unknown.reset();
  const Prepared prepared = SequencePreprocessor(without, {}).measure(record);
  CHECK(remedy(*prepared.defect) == "correct the sequence");
}

TEST_CASE("gaps are removed and counted when asked, before all else") {
  const SequencePolicy remove{.max_tokens = 5, .remove_gaps = true};
  const Prepared prepared = measured("--A.c-D*..", remove);
  CHECK(prepared.token_ids == Ids{2, 4, 5, 6, 3});
  CHECK(prepared.length == 3);
  CHECK(prepared.gaps == 6);
  CHECK(prepared.stop_dropped);
  CHECK(measured("ACD", remove).gaps == 0);
  CHECK(measured("ACD", remove).hash == measured("ACD").hash);
  CHECK(measured("-.-", remove).defect->reason == Reason::kEmpty);
  // An alphabet that has them as tokens takes them as they are, unless they are to go.
  encode::Alphabet aligned = small_alphabet();
  aligned.tokens.emplace_back("-");
  aligned.allowed += "-";
  Record record;
  record.payload = "A-D";
  CHECK(SequencePreprocessor(aligned, {}).measure(record).token_ids == Ids{2, 4, 7, 6, 3});
  CHECK(SequencePreprocessor(aligned, remove).measure(record).token_ids == Ids{2, 4, 6, 3});
}

TEST_CASE("long sequences are rejected, or cut to the first residues and the appended token") {
  const SequencePolicy reject{.max_tokens = 4};
  CHECK(measured("AC", reject).tokens == 4);
  const Prepared rejected = measured("ACD", reject);
  REQUIRE(rejected.defect);
  CHECK(rejected.defect->reason == Reason::kTooLong);
  CHECK(rejected.defect->message == "3 residues; the limit is 2");
  CHECK(rejected.length == 3);
  CHECK(remedy(*rejected.defect) ==
        "use --retry-rejects --too-long truncate or window, or embed into another --output with a "
        "higher --max-length");
  const SequencePolicy highest{.max_tokens = 4, .limit_is_models = true};
  CHECK(remedy(*measured("ACD", highest).defect).find("--max-length") == std::string_view::npos);
  const Prepared cut = measured("ACD", {.max_tokens = 4, .truncate = true});
  CHECK(cut.token_ids == Ids{2, 4, 5, 3});
  CHECK(cut.truncated);
  CHECK(cut.length == 2);
}

TEST_CASE("a defect from reading is kept") {
  Record record;
  record.payload = "ACD";
  record.defect = Defect{Reason::kWrongFieldCount, "3 fields, expected 2"};
  const Prepared prepared = SequencePreprocessor(small_alphabet(), {}).measure(record);
  REQUIRE(prepared.defect);
  CHECK(prepared.defect->reason == Reason::kWrongFieldCount);
}

TEST_CASE("a batch is padded to its width and filled with dummy rows") {
  const SequencePreprocessor preprocessor(small_alphabet(), {});
  Prepared first = measured("ACD");
  Prepared second = measured("A");
  const Row records[] = {{&first}, {&second}};
  const Assembled made = preprocessor.assemble(records, 6, 3);
  CHECK(made.batch.rows == 3);
  CHECK(made.batch.used_rows == 2);
  CHECK(made.batch.tokens ==
        std::vector<std::int64_t>{2, 4, 5, 6, 3, 0, 2, 4, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(made.batch.lengths == std::vector<std::uint32_t>{5, 3, 0});
  CHECK(made.accepted == std::vector<std::uint32_t>{0, 1});
}

TEST_CASE("alphabets that cannot serve are refused") {
  encode::Alphabet alphabet = small_alphabet();
  alphabet.allowed = "ACDE";
  CHECK_THROWS_AS(SequencePreprocessor(alphabet, {}), Error);
  alphabet = small_alphabet();
  alphabet.unknown.reset();
  CHECK_THROWS_AS(SequencePreprocessor(alphabet, {.max_tokens = {}, .substitute_unknown = true}),
                  Error);
  CHECK_THROWS_AS(SequencePreprocessor(small_alphabet(), {.max_tokens = 2}), Error);
}

TEST_CASE("a sequence of bases alone is noticed, unless nucleotides are expected") {
  encode::Alphabet alphabet;
  alphabet.allowed = "ACGTNK";
  for (const char c : alphabet.allowed) {
    alphabet.tokens.emplace_back(1, c);
  }
  const auto measured = [&](const std::string& residues, const SequencePolicy& policy = {}) {
    Record record;
    record.payload = residues;
    return SequencePreprocessor(alphabet, policy).measure(record);
  };
  const std::string dna = "ACGTTGCAACGTNNACGTAG";  // 20 letters
  CHECK(measured(dna).looks_like_nucleotides);
  CHECK(measured(" acgttgcaacgtnnacgtag\n").looks_like_nucleotides);
  CHECK_FALSE(
      measured(dna, {.max_tokens = {}, .nucleotides_expected = true}).looks_like_nucleotides);
  CHECK_FALSE(measured(dna.substr(1)).looks_like_nucleotides);                // too short to tell
  CHECK_FALSE(measured("AAAAAAAAAAAAAAAAAAAAAAAAA").looks_like_nucleotides);  // poly-alanine
  CHECK_FALSE(measured("GAGAGAGAGAGAGTGAGAGAGAGA").looks_like_nucleotides);   // a silk
  CHECK_FALSE(measured(dna + "K").looks_like_nucleotides);
}

TEST_CASE("a sequence that is too long is cut into windows when asked") {
  const SequencePolicy windows{.max_tokens = 6, .windows = true};  // of four residues, one shared
  const SequencePreprocessor preprocessor(small_alphabet(), windows);
  Prepared fits = measured("ACDA", windows);
  CHECK(fits.segments == 0);
  Prepared cut = measured("ACDAACC*", windows);
  REQUIRE_FALSE(cut.defect);
  CHECK(cut.segments == 2);
  CHECK(cut.length == 7);
  CHECK(cut.tokens == 6);
  CHECK_FALSE(cut.truncated);
  const Row rows[] = {{&cut, 1}, {&fits}};
  const Assembled made = preprocessor.assemble(rows, 8, 3);
  CHECK(made.batch.tokens == std::vector<std::int64_t>{2, 4, 4, 5, 5, 3, 0, 0, 2, 4, 5, 6,
                                                       4, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(made.batch.lengths == std::vector<std::uint32_t>{6, 6, 0});
  REQUIRE(made.batch.own.size() == 3);
  CHECK(made.batch.own[0].first == 2);  // the shared residue is as near to the edge of either
  CHECK(made.batch.own[0].last == 5);
  CHECK(made.batch.own[1].count() == 0);
  CHECK(measured("ACDAAC!", windows).defect->reason == Reason::kInvalidCharacter);
}

TEST_CASE("windows that overlap as far as they reach are refused") {
  const auto preprocessor = [](std::uint32_t overlap) {
    return SequencePreprocessor(small_alphabet(),
                                {.max_tokens = 6, .windows = true, .overlap = overlap});
  };
  CHECK_NOTHROW(preprocessor(3));
  CHECK_THROWS_WITH(preprocessor(4), "--window-overlap 4 is not less than a window's 4 residues");
  // Without a limit nothing is too long.
  CHECK_NOTHROW(
      SequencePreprocessor(small_alphabet(), {.max_tokens = {}, .windows = true, .overlap = 4}));
}
