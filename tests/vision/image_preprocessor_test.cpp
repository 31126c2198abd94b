#include "vision/image_preprocessor.hpp"

#include <png.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "input/image_place.hpp"
#include "vision/image_kind.hpp"

namespace fs = std::filesystem;
using namespace longhaul;
using longhaul::Reason;
using longhaul::Record;
using longhaul::vision::ImagePreprocessor;

namespace {

constexpr std::uint32_t kSize = 8;
constexpr std::size_t kImageBytes = std::size_t{3} * kSize * kSize;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "longhaul_vision_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  // A PNG of one brightness.
  std::string png(const std::string& name, std::uint8_t value) const {
    const std::string path = (path_ / name).string();
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = 20;
    image.height = 10;
    image.format = PNG_FORMAT_GRAY;
    const std::vector<std::uint8_t> pixels(200, value);
    REQUIRE(png_image_write_to_file(&image, path.c_str(), 0, pixels.data(), 0, nullptr) != 0);
    return path;
  }
  std::string file(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return (path_ / name).string();
  }

 private:
  fs::path path_;
};

prepare::ImageSettings settings_of(std::uint32_t workers) {
  prepare::ImageSettings settings;
  settings.image.size = settings.image.resize = kSize;
  settings.workers = workers;
  return settings;
}

struct Batch {
  std::vector<prepare::Prepared> prepared;
  prepare::Assembled assembled;
};

Batch assemble(const ImagePreprocessor& preprocessor, const std::vector<std::string>& payloads,
               std::uint32_t rows) {
  Batch batch;
  for (const std::string& payload : payloads) {
    Record record;
    record.position = record.row = batch.prepared.size();
    record.payload = payload;
    batch.prepared.push_back(preprocessor.measure(record));
  }
  std::vector<prepare::Row> rows_of;
  for (prepare::Prepared& prepared : batch.prepared) {
    rows_of.push_back({&prepared});
  }
  batch.assembled = preprocessor.assemble(rows_of, 1, rows);
  return batch;
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a bad image leaves its row to the next one, and dummy rows fill the batch") {
  const Folder folder;
  const std::vector<std::string> payloads{folder.png("a.png", 10),
                                          folder.file("b.jpg", "text, not a picture at all"),
                                          folder.png("c.png", 30),
                                          (fs::path(folder.png("d.png", 40)) / "none").string(),
                                          folder.file("e.png", std::string()),
                                          folder.png("f.png", 60)};
  for (const std::uint32_t workers : {1U, 2U, 5U}) {
    const ImagePreprocessor preprocessor(settings_of(workers));
    const Batch batch = assemble(preprocessor, payloads, 7);
    const prepare::Assembled& assembled = batch.assembled;
    CHECK(assembled.accepted == std::vector<std::uint32_t>{0, 2, 5});
    REQUIRE(assembled.rejected.size() == 3);
    CHECK(assembled.rejected[0].index == 1);
    CHECK(assembled.rejected[0].defect.reason == Reason::kNotAnImage);
    CHECK(assembled.rejected[1].defect.reason == Reason::kUnreadable);
    CHECK(assembled.rejected[2].defect.reason == Reason::kEmpty);
    CHECK(assembled.batch.rows == 7);
    CHECK(assembled.batch.used_rows == 3);
    REQUIRE(assembled.batch.pixels.size() == 7 * kImageBytes);
    const std::vector<std::uint8_t> expected{10, 30, 60, 0, 0, 0, 0};
    for (std::size_t i = 0; i < assembled.batch.pixels.size(); ++i) {
      REQUIRE(assembled.batch.pixels[i] == expected[i / kImageBytes]);
    }
  }
}

TEST_CASE("an image carries the hash of its bytes, in a file or in an archive") {
  const Folder folder;
  const std::string path = folder.png("a.png", 77);
  const std::string bytes = bytes_of(path);
  const std::string archive = folder.file("t.tar", std::string(512, 'h') + bytes + "tail");
  const ImagePreprocessor preprocessor(settings_of(2));
  const Batch batch =
      assemble(preprocessor,
               {path,
                longhaul::input::to_payload(
                    {archive, longhaul::input::ImagePlace::Stretch{512, bytes.size()}}),
                longhaul::input::to_payload(
                    {archive, longhaul::input::ImagePlace::Stretch{512, bytes.size() + 50}})},
               0);
  CHECK(batch.assembled.accepted == std::vector<std::uint32_t>{0, 1});
  CHECK(batch.prepared[0].hash == longhaul::hash128(bytes));
  CHECK(batch.prepared[1].hash == longhaul::hash128(bytes));
  REQUIRE(batch.assembled.rejected.size() == 1);
  CHECK(batch.assembled.rejected[0].defect.reason == Reason::kTruncated);
  CHECK(preprocessor.report().at("images") == 2);
}

TEST_CASE("duplicates are asked for in order and leave their rows") {
  const Folder folder;
  prepare::ImageSettings settings = settings_of(3);
  std::vector<std::uint64_t> asked;
  settings.duplicate_of = [&](const prepare::Prepared& prepared) -> std::optional<std::uint64_t> {
    asked.push_back(prepared.record.position);
    return prepared.record.position % 2 == 1 ? std::optional<std::uint64_t>(0) : std::nullopt;
  };
  const ImagePreprocessor preprocessor(settings);
  const std::string path = folder.png("a.png", 5);
  const Batch batch = assemble(preprocessor, {path, path, path, path, path}, 0);
  CHECK(asked == std::vector<std::uint64_t>{0, 1, 2, 3, 4});
  CHECK(batch.assembled.accepted == std::vector<std::uint32_t>{0, 2, 4});
  REQUIRE(batch.assembled.duplicates.size() == 2);
  CHECK(batch.assembled.duplicates[1].index == 3);
  CHECK(batch.assembled.batch.rows == 3);
}

TEST_CASE("any bytes can be asked for an orientation") {
  const std::string whole =
      std::string("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0", 22);
  const auto orientation = [](const std::string& bytes) {
    return longhaul::vision::tiff_orientation(
        {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  };
  CHECK(orientation(whole) == 6);
  for (std::size_t size = 0; size < whole.size() - 3; ++size) {
    CHECK(orientation(whole.substr(0, size)) == 1);
  }
  std::string bad = whole;
  bad[18] = 9;
  CHECK(orientation(bad) == 1);
}

TEST_CASE("images are identified by their bytes before they are decoded, and only where asked") {
  const Folder folder;
  const std::string picture = folder.png("a.png", 10);
  const std::vector<std::string> payloads{
      picture, folder.file("b.jpg", "text, not a picture at all"),
      (fs::path(folder.png("d.png", 40)) / "none").string(), picture, picture};
  const ImagePreprocessor preprocessor(settings_of(2));
  std::vector<prepare::Prepared> records;
  for (const std::string& payload : payloads) {
    Record record;
    record.payload = payload;
    records.push_back(preprocessor.measure(record));
  }
  records[3].hash = {7, 7};  // known already
  records[4].defect = Defect{Reason::kBadRecord, "of a list"};
  preprocessor.identify(records);
  CHECK(records[0].hash == hash128(bytes_of(picture)));
  CHECK(records[1].hash == Hash128{});
  CHECK(records[2].hash == Hash128{});
  CHECK(records[3].hash == Hash128{7, 7});
  CHECK(records[4].hash == Hash128{});
}
