// What a source is, by its first bytes: how it is compressed, whatever its name says, and the
// format of its text where the name is silent.
// One thread at a time. Errors as open_input has them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "input/byte_source.hpp"
#include "input/record_reader.hpp"
#include "input/source_reader.hpp"

namespace longhaul::input {

// A source whose beginning can be looked at before it is read.
class PeekedSource : public ByteSource {
 public:
  explicit PeekedSource(std::unique_ptr<ByteSource> source) : source_(std::move(source)) {}

  // The first bytes: `bytes` of them, or all there are. Only before the first read.
  std::string_view head(std::size_t bytes);

  std::size_t read(std::span<char> into) override;
  bool seek(std::uint64_t offset) override;
  std::uint64_t stored_bytes_read() const override { return source_->stored_bytes_read(); }

 private:
  std::unique_ptr<ByteSource> source_;
  std::vector<char> head_;
  std::size_t given_ = 0;  // of the head
  bool ended_ = false;
};

// How these first bytes say that what follows is compressed.
Compression compression_of_bytes(std::string_view head);
std::string_view to_string(Compression compression);  // "gzip"

// The text of a source, decompressed as often as it was compressed. `named` is what its name says,
// which is only compared. Error(kUnavailable) without `backends.decompress`.
std::unique_ptr<PeekedSource> open_text(std::unique_ptr<ByteSource> stored, Compression named,
                                        const SourceSettings& settings,
                                        const InputBackends& backends);

// FASTA, CSV, TSV, JSON lines or Parquet by the first line that is no comment; nothing where that
// is none of them for certain.
std::optional<InputFormat> format_of_content(PeekedSource& text, const SourceSettings& settings);

}  // namespace longhaul::input
