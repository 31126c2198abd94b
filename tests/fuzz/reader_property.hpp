// What must hold of every reader of text, whatever the bytes: the same records, rejects, counts and
// error however the bytes arrive, and the same rest from any position that the reader gave.
// One thread.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fuzz/property.hpp"
#include "input/input_helpers.hpp"

namespace longhaul::fuzz {

using Open = std::function<std::unique_ptr<input::SourceReader>(
    std::unique_ptr<input::ByteSource> bytes, const input::SourceSettings& settings)>;

struct Reading {
  std::vector<std::string> records;
  std::vector<input::SourceCursor> cursors;  // before each record, and at the end
  std::vector<LeftOut> left_out;             // before each cursor
  std::string error;                         // that ended it
};

// `enter`: where to begin, none for the beginning.
inline Reading read_all(const Open& open, std::string_view text,
                        const input::SourceSettings& settings, std::size_t chunk,
                        const input::SourceCursor* enter = nullptr) {
  Reading reading;
  const input::test::Thrown thrown = input::test::thrown_by([&] {
    auto bytes = std::make_unique<input::test::MemorySource>(std::string(text), chunk);
    const auto reader = open(std::move(bytes), settings);
    if (enter != nullptr) {
      require(reader->seek(*enter), "a position that a reader gave can be entered");
    }
    for (bool more = true; more;) {
      reading.cursors.push_back(reader->cursor());
      reading.left_out.push_back(reader->left_out());
      Record record;
      more = reader->next(record);
      if (more) {
        reading.records.push_back(input::test::shown(record));
      } else {
        reading.cursors.back() = reader->cursor();
        reading.left_out.back() = reader->left_out();
      }
    }
  });
  reading.error = thrown.text;
  require(thrown.code == 0 || thrown.code == to_int(ExitCode::kBadData) ||
              thrown.code == to_int(ExitCode::kUsage),
          "bytes in memory are bad data or name no column", thrown.text);
  require(thrown.code == 0 || thrown.text.find("; ") + 2 < thrown.text.size(),
          "an error has a remedy", thrown.text);
  return reading;
}

inline std::string to_text(const Reading& reading) {
  std::string text;
  for (const std::string& record : reading.records) {
    text += record + "\n";
  }
  for (const LeftOut& left_out : reading.left_out) {
    text += to_string(left_out) + "\n";
  }
  return text + reading.error;
}

inline void check_rest(const Open& open, std::string_view text,
                       const input::SourceSettings& settings, const Reading& whole,
                       std::size_t from) {
  const Reading rest = read_all(open, text, settings, ~std::size_t{0}, &whole.cursors[from]);
  const std::vector<std::string> expected(whole.records.begin() + static_cast<std::ptrdiff_t>(from),
                                          whole.records.end());
  const std::string place = "from record " + std::to_string(from) + "\n" + to_text(whole) +
                            "\n-- entered:\n" + to_text(rest);
  require(rest.records == expected && rest.error == whole.error,
          "reading from a position gives the same rest", place);
  LeftOut left_out = whole.left_out[from];
  left_out.add(rest.left_out.back());
  require(left_out == whole.left_out.back(), "what is left out is counted once", place);
}

inline void check_reader(const Open& open, std::string_view text, input::SourceSettings settings) {
  settings.name = "x";
  settings.max_line_bytes = 200;
  settings.block_bytes = 64;
  const Reading whole = read_all(open, text, settings, ~std::size_t{0});
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}}) {
    const Reading parts = read_all(open, text, settings, chunk);
    require(to_text(parts) == to_text(whole), "chunks change nothing",
            to_text(whole) + "\n-- in chunks of " + std::to_string(chunk) + ":\n" + to_text(parts));
  }
  const std::size_t places = whole.cursors.size();
  for (std::size_t from = 0; from < places; from += std::max<std::size_t>(1, places / 6)) {
    check_rest(open, text, settings, whole, from);
  }
}

}  // namespace longhaul::fuzz
