// The line breaks ahead of someone who reads on: the next LF and the next CR, each looked for once
// in every byte however often it is asked. A copy goes on by itself. One thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

#include "input/block_buffer.hpp"

namespace longhaul::input {

class LineBreaks {
 public:
  static constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

  // Where the first LF or CR stands from `from` on, of what is in hand; kNone where none does.
  // `from` is never before that of an earlier call.
  std::uint64_t first(const BlockBuffer& bytes, std::uint64_t from) {
    return std::min(line_feed_.first(bytes, from), carriage_return_.first(bytes, from));
  }

 private:
  struct Finder {
    char wanted;
    std::uint64_t at = kNone;
    std::uint64_t scanned = 0;  // bytes before it are not looked at again

    std::uint64_t first(const BlockBuffer& bytes, std::uint64_t from) {
      if (at != kNone && at >= from) {
        return at;
      }
      const std::uint64_t start = std::max(from, scanned);
      const std::uint64_t end = bytes.end();
      at = kNone;
      if (start < end) {
        scanned = end;
        const std::size_t found = bytes.text(start, end).find(wanted);
        if (found != std::string_view::npos) {
          at = start + found;
          scanned = at + 1;
        }
      }
      return at;
    }
  };

  Finder line_feed_{'\n'};
  Finder carriage_return_{'\r'};
};

}  // namespace longhaul::input
