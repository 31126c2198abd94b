#include "arrow/decompress.hpp"

#include <arrow/result.h>
#include <arrow/util/compression.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"

namespace longhaul::arrow_room {
namespace {

constexpr std::size_t kStoredBlockBytes = 256 * 1024;

arrow::Compression::type codec_of(input::Compression compression) {
  switch (compression) {
    case input::Compression::kGzip:
      return arrow::Compression::GZIP;
    case input::Compression::kZstd:
      return arrow::Compression::ZSTD;
    case input::Compression::kBzip2:
      return arrow::Compression::BZ2;
    case input::Compression::kLz4:
      return arrow::Compression::LZ4_FRAME;
    case input::Compression::kXz:  // Arrow has no xz, and whoever opens the file says so
    case input::Compression::kNone:
      break;
  }
  return arrow::Compression::UNCOMPRESSED;
}

class DecompressedSource : public input::ByteSource {
 public:
  DecompressedSource(std::unique_ptr<input::ByteSource> stored, input::Compression compression,
                     std::string name)
      : stored_(std::move(stored)), name_(std::move(name)), block_(kStoredBlockBytes) {
    auto codec = arrow::util::Codec::Create(codec_of(compression));
    if (codec.ok()) {
      codec_ = std::move(*codec);
      auto decompressor = codec_->MakeDecompressor();
      if (decompressor.ok()) {
        decompressor_ = std::move(*decompressor);
        return;
      }
    }
    throw Error(ExitCode::kUnavailable, "this Arrow cannot decompress " + printable(name_, 400),
                "decompress it first");
  }

  std::size_t read(std::span<char> into) override {
    for (;;) {
      if (begin_ == end_ && !stored_ended_) {
        begin_ = 0;
        end_ = stored_->read(block_);
        stored_ended_ = end_ == 0;
      }
      if (decompressor_->IsFinished() && !next_member()) {
        return 0;
      }
      const std::size_t made = decompress_some(into);
      if (made > 0) {
        return made;
      }
      if (stored_ended_ && begin_ == end_) {
        if (in_member_) {
          damaged("it ends in the middle");
        }
        return 0;
      }
    }
  }

  bool seek(std::uint64_t) override { return false; }
  std::uint64_t stored_bytes_read() const override {
    const std::uint64_t read = stored_->stored_bytes_read();
    return read - std::min<std::uint64_t>(read, end_ - begin_);
  }

 private:
  // After a member's end: whether another follows. Zero bytes behind the last one are padding.
  bool next_member() {
    in_member_ = false;
    for (;;) {
      while (begin_ < end_ && block_[begin_] == '\0') {
        ++begin_;
      }
      if (begin_ < end_) {
        break;
      }
      begin_ = 0;
      end_ = stored_->read(block_);
      if (end_ == 0) {
        stored_ended_ = true;
        return false;
      }
    }
    if (!decompressor_->Reset().ok()) {
      damaged("it cannot be read on");
    }
    return true;
  }

  std::size_t decompress_some(std::span<char> into) {
    const auto* from = reinterpret_cast<const std::uint8_t*>(block_.data() + begin_);
    auto done = decompressor_->Decompress(static_cast<std::int64_t>(end_ - begin_), from,
                                          static_cast<std::int64_t>(into.size()),
                                          reinterpret_cast<std::uint8_t*>(into.data()));
    if (!done.ok()) {
      damaged(done.status().message());
    }
    in_member_ = in_member_ || done->bytes_read > 0;
    begin_ += static_cast<std::size_t>(done->bytes_read);
    return static_cast<std::size_t>(done->bytes_written);
  }

  [[noreturn]] void damaged(const std::string& why) const {
    throw Error(ExitCode::kBadData,
                printable(name_, 400) + ", byte " + std::to_string(stored_bytes_read()) +
                    " (compressed): damaged, " + why,
                "get the file again");
  }

  std::unique_ptr<input::ByteSource> stored_;
  std::string name_;
  std::unique_ptr<arrow::util::Codec> codec_;
  std::shared_ptr<arrow::util::Decompressor> decompressor_;  // as Arrow hands it out
  std::vector<char> block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool stored_ended_ = false;
  bool in_member_ = false;  // bytes of a member went in and its end did not come
};

}  // namespace

std::unique_ptr<input::ByteSource> decompress(std::unique_ptr<input::ByteSource> stored,
                                              input::Compression compression,
                                              const std::string& name) {
  return std::make_unique<DecompressedSource>(std::move(stored), compression, name);
}

}  // namespace longhaul::arrow_room
