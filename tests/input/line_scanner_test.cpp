#include "input/line_scanner.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>

#include "input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

// A header, one line without end for as long as it takes, and a good line.
class LongLine : public ByteSource {
 public:
  explicit LongLine(std::uint64_t size) : left_(size) {}
  std::size_t read(std::span<char> into) override {
    if (left_ > 0) {
      const std::size_t size = std::min<std::uint64_t>(into.size(), left_);
      std::memset(into.data(), 'M', size);
      left_ -= size;
      return size;
    }
    return tail_.read(into);
  }
  bool seek(std::uint64_t) override { return false; }
  std::uint64_t stored_bytes_read() const override { return 0; }

 private:
  std::uint64_t left_;
  MemorySource tail_{"\nnext"};
};

std::uint64_t peak_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
  return static_cast<std::uint64_t>(usage.ru_maxrss);
#else
  return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
#endif
}

}  // namespace

TEST_CASE("a line far over the cap costs memory for the cap, not for the line") {
  constexpr std::uint64_t kLineBytes = 600ULL << 20;
  [[maybe_unused]] const std::uint64_t before = peak_bytes();
  LineScanner lines(std::make_unique<LongLine>(kLineBytes), "x", 64ULL << 20, 256 << 10);
  Line line;
  REQUIRE(lines.next(line));
  CHECK(line.too_long);
  CHECK(line.size == kLineBytes);
  CHECK(line.first == 'M');
  REQUIRE(lines.next(line));
  CHECK(line.text == "next");
  CHECK(line.number == 2);
  CHECK(line.byte == kLineBytes + 1);
  CHECK_FALSE(lines.next(line));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  CHECK(peak_bytes() - before < 160ULL << 20);
#endif
}

TEST_CASE("looking ahead gives whole lines and consumes nothing") {
  LineScanner lines(std::make_unique<MemorySource>("one\ntwo\nthree", 3), "x", 100, 4);
  CHECK(lines.peek(1).substr(0, 4) == "one\n");
  CHECK(lines.peek(100) == "one\ntwo\nthree");
  Line line;
  REQUIRE(lines.next(line));
  CHECK(line.text == "one");
  CHECK(line.terminator == "\n");
  CHECK(lines.byte() == 4);
  CHECK(lines.peek(1).substr(0, 4) == "two\n");
  REQUIRE(lines.seek(8, 3));
  REQUIRE(lines.next(line));
  CHECK(line.text == "three");
  CHECK(line.terminator.empty());
  CHECK(line.number == 3);
  CHECK(line.byte == 8);
}

TEST_CASE("every mixture of line ends is split alike in blocks of any size") {
  const std::string pieces[] = {"\n", "\r", "\r\n", "a"};
  for (unsigned pattern = 0; pattern < 4096; ++pattern) {
    std::string text;
    std::vector<std::string> expected(1);
    for (unsigned i = 0, rest = pattern; i < 6; ++i, rest /= 4) {
      text += pieces[rest % 4];
    }
    // The definition, letter by letter.
    for (std::size_t i = 0; i < text.size(); ++i) {
      expected.back() += text[i];
      if (text[i] == '\n' || (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n'))) {
        expected.emplace_back();
      }
    }
    if (expected.back().empty()) {
      expected.pop_back();
    }
    for (const std::size_t block : {1UL, 2UL, 3UL, 64UL}) {
      LineScanner lines(std::make_unique<MemorySource>(text), "x", 100, block);
      std::vector<std::string> got;
      std::uint64_t byte = 0;
      bool placed = true;
      for (Line line; lines.next(line);) {
        got.push_back(std::string(line.text) + std::string(line.terminator));
        placed = placed && line.byte == byte && line.number == got.size();
        byte += got.back().size();
      }
      if (got != expected || !placed) {
        CAPTURE(text, block);
        CHECK(got == expected);
        FAIL("wrong line or place");
      }
    }
  }
}

TEST_CASE("what is looked at to tell text from binary does not depend on how the bytes arrive") {
  for (const std::size_t zero : {std::size_t{31}, std::size_t{32}, std::size_t{33}}) {
    std::string bytes(100, 'x');
    bytes[zero] = '\0';
    for (const std::size_t most : {std::size_t{1}, std::size_t{7}, std::size_t{31}, bytes.size()}) {
      CAPTURE(zero, most);
      LineScanner lines(std::make_unique<MemorySource>(bytes, most), "x", 1000, 32);
      Line line;
      CHECK((thrown_by([&] { lines.next(line); }).code != 0) == (zero < 32));
    }
  }
}
