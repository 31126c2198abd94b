#include "postgres/copy_rows.hpp"

#include <bit>
#include <cstdint>

#include "base/hash.hpp"

namespace longhaul::postgres {
namespace {

using export_room::PushedRow;
using export_room::PushKey;

template <typename Number>
void put(std::string& bytes, Number number) {
  for (int shift = static_cast<int>(sizeof(Number)) * 8 - 8; shift >= 0; shift -= 8) {
    bytes += static_cast<char>((number >> shift) & 0xFF);
  }
}

std::uint32_t length_of(std::size_t size) {
  return static_cast<std::uint32_t>(size);
}

void put_text(std::string& bytes, std::string_view text) {
  put(bytes, length_of(text.size()));
  bytes += text;
}

std::string array_word(std::string_view text) {
  std::string word = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      word += '\\';
    }
    word += c;
  }
  return word + '"';
}

}  // namespace

void CopyRows::add(const PushedRow& row) {
  Row added;
  added.begin = bytes_.size();
  added.number = row.number;
  added.id = row.id;
  put(bytes_, static_cast<std::uint16_t>(3 + row.texts.size()));
  put_text(bytes_, row.id);
  put(bytes_, std::uint32_t{8});
  put(bytes_, row.number);
  put(bytes_, length_of(4 + row.vector.size_bytes()));
  added.vector = bytes_.size();
  put(bytes_, static_cast<std::uint16_t>(row.vector.size()));
  put(bytes_, std::uint16_t{0});
  for (const float number : row.vector) {
    put(bytes_, std::bit_cast<std::uint32_t>(number));
  }
  added.texts = bytes_.size();
  for (const std::string& text : row.texts) {
    put_text(bytes_, text);
  }
  added.end = bytes_.size();
  std::string hashed;
  put(hashed, row.number);
  hashed.append(bytes_, added.vector, added.texts - added.vector);
  put_text(hashed, row.id);
  hashed.append(bytes_, added.texts, added.end - added.texts);
  added.digest = sha256(hashed);
  rows_.push_back(std::move(added));
}

void CopyRows::clear() {
  bytes_.clear();
  rows_.clear();
}

std::string CopyRows::vector_digest(std::size_t row) const {
  const Row& one = rows_[row];
  return sha256(std::string_view(bytes_).substr(one.vector, one.texts - one.vector));
}

std::string CopyRows::keys(PushKey key) const {
  std::string literal = "{";
  for (const Row& row : rows_) {
    literal += literal.size() > 1 ? "," : "";
    literal += key == PushKey::kRow ? std::to_string(row.number) : array_word(row.id);
  }
  return literal + "}";
}

std::string CopyRows::encoded(const std::vector<bool>& wanted) const {
  std::string bytes("PGCOPY\n\377\r\n\0", 11);
  bytes.append(8, '\0');  // flags, and an extension of the header
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    if (wanted[row]) {
      bytes.append(bytes_, rows_[row].begin, rows_[row].end - rows_[row].begin);
    }
  }
  return bytes + "\377\377";
}

}  // namespace longhaul::postgres
