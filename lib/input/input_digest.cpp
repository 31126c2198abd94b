#include <cstring>

#include "input/record_reader.hpp"

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

}  // namespace

// Each field goes in with its length, so that no two different records look alike; the sum so far
// goes in first, which makes it a chain.
void InputDigest::add(const Record& record) {
  scratch_.clear();
  append_number(scratch_, value_.high);
  append_number(scratch_, value_.low);
  append_text(scratch_, record.id);
  // An image's payload is where it is, not what it is.
  append_text(scratch_, record.identity.empty() ? record.payload : record.identity);
  append_number(scratch_, record.kept.size());
  for (const std::string& value : record.kept) {
    append_text(scratch_, value);
  }
  append_text(scratch_, record.defect ? to_string(record.defect->reason) : std::string_view());
  value_ = hash128(scratch_);
}

}  // namespace longhaul::input
