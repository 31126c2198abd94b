#include "prepare/sequence_preprocessor.hpp"

#include <algorithm>
#include <cstdio>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/nucleotide_check.hpp"

namespace longhaul::prepare {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool goes_on(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// The bytes of the character at `at`. What is read is UTF-8.
std::size_t character_size(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (static_cast<unsigned char>(text[at]) >= 0xC0 && end < text.size() && goes_on(text[end])) {
    ++end;
  }
  return end - at;
}

std::size_t count_characters(std::string_view text) {
  return is_ascii(text) ? text.size()
                        : static_cast<std::size_t>(std::count_if(
                              text.begin(), text.end(), [](char c) { return !goes_on(c); }));
}

// The first `count` characters.
std::string_view first_characters(std::string_view text, std::size_t count) {
  if (is_ascii(text)) {
    return text.substr(0, count);
  }
  std::size_t end = 0;
  for (; count > 0 && end < text.size(); --count) {
    end += character_size(text, end);
  }
  return text.substr(0, end);
}

std::uint32_t code_point(std::string_view character) {
  const auto first = static_cast<unsigned char>(character.front());
  std::uint32_t code = character.size() == 1 ? first : first & (0x7FU >> character.size());
  for (const char c : character.substr(1)) {
    code = code << 6 | (static_cast<unsigned char>(c) & 0x3FU);
  }
  return code;
}

// White space beyond ASCII, and what is as invisible: joiners, marks of direction and of order.
bool is_wide_space(std::uint32_t code) {
  return code == 0x85 || code == 0xA0 || code == 0xAD || code == 0x1680 || code == 0x180E ||
         (code >= 0x2000 && code <= 0x200F) || (code >= 0x2028 && code <= 0x202F) ||
         (code >= 0x205F && code <= 0x206F) || code == 0x3000 || code == 0xFEFF;
}

// Controls, dashes and the other punctuation of U+2010, and minus.
bool is_wide_mark(std::uint32_t code) {
  return (code >= 0x80 && code <= 0x9F) || (code >= 0x2010 && code <= 0x205E) || code == 0x2212;
}

std::string describe_wide(std::string_view character) {
  const std::uint32_t code = code_point(character);
  char number[16];
  std::snprintf(number, sizeof number, "U+%04X", static_cast<unsigned>(code));
  switch (code) {
    case 0xA0:
      return "a no-break space (U+00A0)";
    case 0x200B:
      return "a zero-width space (U+200B)";
    case 0xFEFF:
      return "a byte order mark (U+FEFF)";
    default:
      return is_wide_space(code) || code <= 0x9F
                 ? std::string("an invisible character (") + number + ")"
                 : "'" + std::string(character) + "' (" + number + ")";
  }
}

std::string describe(char c) {
  switch (c) {
    case '-':
    case '.':
      return "'" + std::string(1, c) + "' (a gap)";
    case ' ':
      return "a space";
    case '\t':
      return "a tab";
    case '>':
      return "'>' (a FASTA header)";
    case '*':
      return "'*' (a stop)";
    default:
      return "'" + printable(std::string_view(&c, 1)) + "'";
  }
}

bool is_gap(char c) {
  return c == '-' || c == '.';
}

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool never_a_residue(char c) {
  return is_gap(c) || is_digit(c) || c == '>' || static_cast<unsigned char>(c) <= ' ' || c == 0x7f;
}

bool never_a_residue(std::string_view character) {
  if (character.size() == 1) {
    return never_a_residue(character.front());
  }
  const std::uint32_t code = code_point(character);
  return is_wide_space(code) || is_wide_mark(code);
}

std::uint16_t token_number(std::int64_t token) {
  return static_cast<std::uint16_t>(token);
}

}  // namespace

SequencePreprocessor::SequencePreprocessor(const encode::Alphabet& alphabet,
                                           const SequencePolicy& policy)
    : policy_(policy) {
  token_of_.fill(-1);
  for (const char c : alphabet.allowed) {
    const auto found = std::find(alphabet.tokens.begin(), alphabet.tokens.end(), std::string(1, c));
    if (found == alphabet.tokens.end()) {
      throw Error(ExitCode::kBadData,
                  "the card allows " + describe(c) + ", which is none of its tokens",
                  "correct alphabet.allowed in the card");
    }
    token_of_[static_cast<unsigned char>(c)] =
        static_cast<std::int32_t>(found - alphabet.tokens.begin());
  }
  for (const auto& [letter, other] : alphabet.replace) {
    token_of_[static_cast<unsigned char>(letter)] = token_of_[static_cast<unsigned char>(other)];
    replaced_[static_cast<unsigned char>(letter)] = true;
  }
  for (unsigned char c = 'a'; c <= 'z'; ++c) {
    const auto upper = static_cast<unsigned char>(c - 'a' + 'A');
    if (token_of_[c] < 0) {
      token_of_[c] = token_of_[upper];
      replaced_[c] = replaced_[upper];
    }
  }
  pad_ = token_number(alphabet.pad);
  if (alphabet.prepend) {
    prepend_ = token_number(*alphabet.prepend);
  }
  if (alphabet.append) {
    append_ = token_number(*alphabet.append);
  }
  special_tokens_ = (prepend_ ? 1U : 0U) + (append_ ? 1U : 0U);
  can_substitute_ = alphabet.unknown.has_value() && !policy.substitute_unknown;
  if (policy.substitute_unknown) {
    if (!alphabet.unknown) {
      throw Error(ExitCode::kBadData, "--unknown token, but this model has no unknown token",
                  "use --unknown reject");
    }
    unknown_ = token_number(*alphabet.unknown);
  }
  if (policy.max_tokens && *policy.max_tokens <= special_tokens_) {
    throw Error(
        ExitCode::kUsage,
        "--max-length " + std::to_string(*policy.max_tokens) + " leaves no room for a residue",
        "it counts the " + std::to_string(special_tokens_) + " special tokens too");
  }
  if (policy.windows && policy.max_tokens) {
    const std::uint32_t length = *policy.max_tokens - special_tokens_;
    segments_ = {.length = length, .overlap = policy.overlap.value_or(usual_overlap(length))};
    if (segments_->overlap >= length) {
      throw Error(ExitCode::kUsage,
                  "--window-overlap " + std::to_string(segments_->overlap) +
                      " is not less than a window's " + std::to_string(length) + " residues",
                  "give at most " + std::to_string(length - 1) + ", or leave it out for a quarter");
    }
  }
}

Prepared SequencePreprocessor::measure(Record record) const {
  Prepared out;
  std::string residues(trimmed(record.payload));
  std::transform(residues.begin(), residues.end(), residues.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  out.hash = hash128(residues);
  if (record.defect) {
    out.defect = std::move(record.defect);
  } else if (policy_.remove_gaps) {
    out.gaps = static_cast<std::uint32_t>(std::erase_if(residues, is_gap));
    out.defect = tokenize(residues, out);
  } else {
    out.defect = tokenize(trimmed(record.payload), out);
  }
  out.looks_like_nucleotides =
      !out.defect && !policy_.nucleotides_expected && input::is_nucleotides(residues);
  record.defect.reset();
  record.payload = std::string();
  out.record = std::move(record);
  if (out.defect) {
    out.token_ids = {};
    out.tokens = 0;
    out.segments = 0;
  }
  return out;
}

std::optional<Defect> SequencePreprocessor::tokenize(std::string_view residues,
                                                     Prepared& out) const {
  if (!residues.empty() && residues.back() == '*' &&
      token_of_[static_cast<unsigned char>('*')] < 0) {
    if (residues.find_first_not_of('*') == std::string_view::npos) {
      return Defect{Reason::kEmpty, "no residues, stops alone"};
    }
    residues.remove_suffix(1);
    out.stop_dropped = true;
  }
  if (residues.empty()) {
    return Defect{Reason::kEmpty, out.gaps > 0 ? "no residues, gaps alone" : "no residues"};
  }
  const std::size_t length = count_characters(residues);
  out.length = static_cast<std::uint32_t>(std::min<std::size_t>(length, UINT32_MAX));
  if (policy_.max_tokens && length + special_tokens_ > *policy_.max_tokens) {
    const std::uint32_t room = *policy_.max_tokens - special_tokens_;
    if (segments_) {
      out.segments = plan::segment_count(out.length, *segments_);
    } else if (!policy_.truncate) {
      return Defect{Reason::kTooLong,
                    std::to_string(length) + " residues; the limit is " + std::to_string(room),
                    policy_.limit_is_models
                        ? "use --retry-rejects --too-long truncate, or --too-long window for all "
                          "residues: this model takes no longer ones"
                        : ""};
    } else {
      residues = first_characters(residues, room);
      out.truncated = true;
      out.length = room;
    }
  }
  out.token_ids.reserve(residues.size() + special_tokens_);
  if (prepend_) {
    out.token_ids.push_back(*prepend_);
  }
  for (std::size_t i = 0; i < residues.size(); ++i) {
    const std::int32_t token = token_of_[static_cast<unsigned char>(residues[i])];
    if (token >= 0) {
      out.token_ids.push_back(static_cast<std::uint16_t>(token));
      out.substituted += replaced_[static_cast<unsigned char>(residues[i])] ? 1U : 0U;
      continue;
    }
    const std::size_t size = character_size(residues, i);
    if (!unknown_ || never_a_residue(residues.substr(i, size))) {
      return invalid(residues, i);
    }
    out.token_ids.push_back(*unknown_);
    ++out.substituted;
    i += size - 1;
  }
  if (append_) {
    out.token_ids.push_back(*append_);
  }
  out.tokens =
      out.segments > 0 ? *policy_.max_tokens : static_cast<std::uint32_t>(out.token_ids.size());
  return std::nullopt;
}

Defect SequencePreprocessor::invalid(std::string_view residues, std::size_t at) const {
  const char c = residues[at];
  const std::string_view character = residues.substr(at, character_size(residues, at));
  const bool wide = character.size() > 1;
  std::string what_to_do;
  if (is_gap(c)) {
    what_to_do = "use --gaps remove, which leaves gaps out and counts them";
  } else if (is_space(c) || (wide && is_wide_space(code_point(character)))) {
    what_to_do = "take white space out of the sequence";
  } else if (is_digit(c)) {
    what_to_do = "take numbers out of the sequence";
  } else if (!never_a_residue(character) && can_substitute_) {
    what_to_do =
        "use --retry-rejects --unknown token, or correct the sequence and embed into another "
        "--output or with --overwrite";
  }
  return {Reason::kInvalidCharacter,
          (wide ? describe_wide(character) : describe(c)) + " at residue " +
              std::to_string(count_characters(residues.substr(0, at)) + 1) + " of " +
              std::to_string(count_characters(residues)),
          std::move(what_to_do)};
}

void SequencePreprocessor::put_segment(const Row& row, std::uint32_t at,
                                       encode::HostBatch& batch) const {
  const Prepared& prepared = *row.prepared;
  const std::uint32_t before = prepend_ ? 1 : 0;
  const plan::Segment segment = plan::segment(prepared.length, row.segment, segments_.value());
  auto cell = batch.tokens.begin() + std::ptrdiff_t{at} * batch.width;
  if (prepend_) {
    *cell++ = *prepend_;
  }
  const auto residues = prepared.token_ids.begin() + before;
  cell = std::copy(residues + segment.first, residues + segment.last, cell);
  if (append_) {
    *cell = *append_;
  }
  batch.lengths[at] = prepared.tokens;
  batch.own.resize(batch.rows);
  batch.own[at] = {before + segment.own_first - segment.first,
                   before + segment.own_last - segment.first};
}

Assembled SequencePreprocessor::assemble(std::span<const Row> rows, std::uint32_t width,
                                         std::uint32_t filled) const {
  Assembled out;
  encode::HostBatch& batch = out.batch;
  batch.used_rows = static_cast<std::uint32_t>(rows.size());
  batch.rows = std::max(filled, batch.used_rows);
  batch.width = width;
  batch.tokens.assign(std::size_t{batch.rows} * width, pad_);
  batch.lengths.assign(batch.rows, 0);
  out.accepted.reserve(rows.size());
  for (std::uint32_t row = 0; row < batch.used_rows; ++row) {
    out.accepted.push_back(row);
    if (rows[row].prepared->segments > 0) {
      put_segment(rows[row], row, batch);
      continue;
    }
    const std::vector<std::uint16_t>& ids = rows[row].prepared->token_ids;
    std::copy(ids.begin(), ids.end(), batch.tokens.begin() + std::ptrdiff_t{row} * width);
    batch.lengths[row] = static_cast<std::uint32_t>(ids.size());
  }
  return out;
}

nlohmann::json SequencePreprocessor::report() const {
  return nullptr;
}

}  // namespace longhaul::prepare
