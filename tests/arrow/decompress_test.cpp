#include <arrow/buffer.h>
#include <arrow/io/compressed.h>
#include <arrow/io/memory.h>
#include <arrow/result.h>
#include <arrow/util/compression.h>

#include <catch2/catch.hpp>
#include <random>

#include "arrow/arrow_input.hpp"
#include "arrow/decompress.hpp"
#include "input/input_helpers.hpp"

using namespace longhaul;
using namespace longhaul::arrow_room;
using namespace longhaul::input::test;

namespace {

constexpr input::Compression kAll[] = {input::Compression::kGzip, input::Compression::kZstd,
                                       input::Compression::kBzip2, input::Compression::kLz4};

std::string compressed(const std::string& text, input::Compression compression) {
  const auto kind = compression == input::Compression::kGzip    ? arrow::Compression::GZIP
                    : compression == input::Compression::kBzip2 ? arrow::Compression::BZ2
                    : compression == input::Compression::kLz4   ? arrow::Compression::LZ4_FRAME
                                                                : arrow::Compression::ZSTD;
  auto codec = arrow::util::Codec::Create(kind).ValueOrDie();
  // As a stream: not every codec of Arrow compresses in one call.
  const auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto stream = arrow::io::CompressedOutputStream::Make(codec.get(), sink).ValueOrDie();
  CHECK(stream->Write(text.data(), static_cast<std::int64_t>(text.size())).ok());
  CHECK(stream->Close().ok());
  return sink->Finish().ValueOrDie()->ToString();
}

std::string decompressed(const std::string& stored, input::Compression compression,
                         std::size_t most = 1 << 20, std::size_t block = 1000) {
  const auto source = decompress(std::make_unique<MemorySource>(stored, most), compression, "x.gz");
  std::string out;
  std::vector<char> buffer(block);
  while (const std::size_t got = source->read(buffer)) {
    out.append(buffer.data(), got);
  }
  CHECK(source->stored_bytes_read() == stored.size());
  return out;
}

std::string sample() {
  std::string text = "id,sequence\n";
  std::mt19937 random(7);
  for (int i = 0; i < 3000; ++i) {
    text += "r" + std::to_string(i) + ",";
    for (int k = 0; k < 40; ++k) {
      text += "ACDEFGHIKLMNPQRSTVWY"[random() % 20];
    }
    text += '\n';
  }
  return text;
}

}  // namespace

TEST_CASE("every compression gives back what went in, in blocks of any size") {
  const std::string text = sample();
  for (const auto compression : kAll) {
    const std::string stored = compressed(text, compression);
    REQUIRE(stored.size() < text.size());
    CHECK(decompressed(stored, compression) == text);
    CHECK(decompressed(stored, compression, 1, 1) == text);
    CHECK(decompressed(stored, compression, 7, 100000) == text);
    CHECK(decompressed(compressed("", compression), compression).empty());
  }
}

TEST_CASE("members in a row are one text, and zero bytes behind the last are padding") {
  for (const auto compression : kAll) {
    const std::string two = compressed("id,seq\n", compression) + compressed("a,MK\n", compression);
    CHECK(decompressed(two, compression, 3, 3) == "id,seq\na,MK\n");
    CHECK(decompressed(two + std::string(600, '\0'), compression) == "id,seq\na,MK\n");
  }
}

TEST_CASE("a compressed file cut anywhere is damaged, whatever was read before") {
  const std::string text = sample().substr(0, 4000);
  for (const auto compression : kAll) {
    const std::string stored = compressed(text, compression);
    for (std::size_t size = 1; size < stored.size(); size += size < 40 ? 1 : 37) {
      CAPTURE(size);
      const auto error = thrown_by([&] { decompressed(stored.substr(0, size), compression, 100); });
      CHECK(error.code == 65);
      CHECK(error.says("x.gz, byte " + std::to_string(size)));
    }
  }
}

TEST_CASE("damage inside a compressed file is found, with the byte") {
  const std::string text = sample();
  std::string stored = compressed(text, input::Compression::kGzip);
  stored[stored.size() / 2] = static_cast<char>(stored[stored.size() / 2] ^ 0x55);
  const auto error = thrown_by([&] { decompressed(stored, input::Compression::kGzip); });
  CHECK(error.code == 65);
  CHECK(error.says("(compressed): damaged"));
  CHECK(thrown_by([&] { decompressed("id,seq\na,MK\n", input::Compression::kGzip); }).code == 65);
  CHECK(thrown_by([&] { decompressed("id,seq\na,MK\n", input::Compression::kZstd); }).code == 65);
  CHECK(thrown_by([&] {
          decompressed(compressed("a", input::Compression::kGzip) + "more",
                       input::Compression::kGzip);
        }).code == 65);
}

TEST_CASE("compressed text is read like plain text, but cannot be entered in the middle") {
  const TemporaryFolder folder;
  const std::string text = sample();
  input::InputSettings plain;
  plain.inputs = {folder.write("a.csv", text)};
  const auto expected = drain(*open_input(plain));
  REQUIRE(expected.size() == 3000);
  for (const std::string name : {"a.csv.gz", "a.csv.zst"}) {
    const auto compression =
        name.back() == 'z' ? input::Compression::kGzip : input::Compression::kZstd;
    const std::string stored = compressed(text, compression);
    input::InputSettings settings;
    settings.inputs = {folder.write(name, stored)};
    auto reader = open_input(settings, arrow_backends());
    CHECK(reader->progress().bytes_total == stored.size());
    const auto records = drain(*reader);
    REQUIRE(records.size() == expected.size());
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (shown(records[i]) != shown(expected[i])) {
        FAIL(shown(records[i]));
      }
    }
    CHECK(reader->progress().bytes_read == stored.size());
    CHECK_FALSE(reader->seek({1, 1, "source=0 byte=12 line=2"}));
    CHECK(reader->seek({0, 0, "source=0 byte=0 line=0"}));
    CHECK(drain(*reader).size() == 3000);
  }
  input::InputSettings settings;
  settings.inputs = {folder.write("b.csv.gz", compressed("", input::Compression::kGzip))};
  CHECK(thrown_by([&] { open_input(settings, arrow_backends()); }).says("empty"));
}

TEST_CASE("how a file is compressed is seen in it, whatever its name says") {
  const TemporaryFolder folder;
  const std::string text = sample();
  const auto records = [&](const std::string& name, const std::string& stored) {
    input::InputSettings settings;
    settings.inputs = {folder.write(name, stored)};
    auto reader = open_input(settings, arrow_backends());
    const std::size_t count = drain(*reader).size();
    CHECK(reader->progress().bytes_read == stored.size());
    return count;
  };
  for (const auto compression : kAll) {
    const std::string once = compressed(text, compression);
    CHECK(records("a.csv", once) == 3000);
    CHECK(records("a.csv.gz", once) == 3000);
    CHECK(records("a", once) == 3000);
    CHECK(records("twice.csv.gz", compressed(once, input::Compression::kGzip)) == 3000);
  }
  CHECK(records("plain.csv.gz", text) == 3000);
  CHECK(records("plain.csv.bz2", text) == 3000);
  std::string deep = text;
  for (int layer = 0; layer < 5; ++layer) {
    deep = compressed(deep, input::Compression::kGzip);
  }
  const auto error = thrown_by([&] { records("deep.csv.gz", deep); });
  CHECK(error.code == 65);
  CHECK(error.says("more than 4 times over"));
  const std::string cut =
      compressed(compressed(text, input::Compression::kBzip2), input::Compression::kGzip);
  const auto damaged = thrown_by([&] { records("cut.csv.gz", cut.substr(0, cut.size() / 2)); });
  CHECK(damaged.code == 65);
  CHECK(damaged.says("cut.csv.gz, byte "));
}

TEST_CASE("text that is not compressed is entered in the middle under any name") {
  const TemporaryFolder folder;
  const std::string text = sample();
  input::InputSettings settings;
  settings.inputs = {folder.write("a.csv.gz", text)};
  auto reader = open_input(settings, arrow_backends());
  for (int i = 0; i < 1500; ++i) {
    reader->next();
  }
  const input::InputPosition position = reader->position();
  auto other = open_input(settings, arrow_backends());
  REQUIRE(other->seek(position));
  CHECK(other->next()->id == "r1500");
}
