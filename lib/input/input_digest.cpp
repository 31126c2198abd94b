#include "input/input_digest.hpp"

#include <cstdint>
#include <string_view>

#include "base/error.hpp"

namespace longhaul::input {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  char bytes[sizeof number];
  for (std::size_t i = 0; i < sizeof number; ++i) {
    bytes[i] = static_cast<char>(number >> (8 * i) & 0xff);
  }
  out.append(bytes, sizeof number);
}

void append_text(std::string& out, std::string_view text) {
  append_number(out, text.size());
  out.append(text);
}

// Modulo 2^128.
void add_to(Hash128& sum, const Hash128& term) {
  sum.low += term.low;
  sum.high += term.high + (sum.low < term.low ? 1U : 0U);
}

// "1234 1700000000.1", as chains hold it.
std::string text_of(const FileStamp& stamp) {
  return std::to_string(stamp.size) + " " + std::to_string(stamp.seconds) + "." +
         std::to_string(stamp.nanoseconds);
}

}  // namespace

// Each text goes in with its length, so that no two different records look alike.
InputHash InputDigest::add(const Record& record) {
  scratch_.clear();
  if (value_.form == DigestForm::kChain) {
    append_number(scratch_, value_.content.high);
    append_number(scratch_, value_.content.low);
  } else {
    append_number(scratch_, record.position);
  }
  append_text(scratch_, record.id);
  if (!record.stamp) {
    append_text(scratch_, record.payload);
  } else if (value_.form == DigestForm::kChain) {
    append_text(scratch_, text_of(*record.stamp));
  } else {
    // No text is that long, so no payload looks like a size.
    append_number(scratch_, ~std::uint64_t{0});
    append_number(scratch_, record.stamp->size);
  }
  append_number(scratch_, record.kept.size());
  for (const std::string& value : record.kept) {
    append_text(scratch_, value);
  }
  append_text(scratch_, record.defect ? to_string(record.defect->reason) : std::string_view());
  if (value_.form == DigestForm::kChain) {
    value_.content = hash128(scratch_);
    return value_;
  }
  InputHash term{.content = hash128(scratch_), .times = {}, .form = DigestForm::kSum};
  if (record.stamp) {
    scratch_.clear();
    append_number(scratch_, record.position);
    append_number(scratch_, static_cast<std::uint64_t>(record.stamp->seconds));
    append_number(scratch_, static_cast<std::uint64_t>(record.stamp->nanoseconds));
    term.times = hash128(scratch_);
  }
  add(term);
  return term;
}

void InputDigest::add(const InputHash& part) {
  if (value_.form != DigestForm::kSum || part.form != DigestForm::kSum) {
    throw Error(ExitCode::kInternal, "digests that are chains do not add up");
  }
  add_to(value_.content, part.content);
  add_to(value_.times, part.times);
}

}  // namespace longhaul::input
