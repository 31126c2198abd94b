#include <algorithm>
#include <catch2/catch.hpp>

#include "base/error.hpp"
#include "fakes/recording_log.hpp"
#include "image_helpers.hpp"
#include "input/image_place.hpp"
#include "input/image_reader.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

const std::string kEnd(1024, '\0');

// What an image's bytes are, or the reason why it has none.
std::string bytes_of(const Record& record) {
  if (record.defect) {
    return "!" + std::string(to_string(record.defect->reason));
  }
  const ImagePlace place = place_from_payload(record.payload);
  REQUIRE(place.stretch);
  std::string bytes(place.stretch->size, '\0');
  std::ifstream file(place.path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(place.stretch->offset));
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

// "id bytes" of each record.
std::vector<std::string> seen(ImageSource& source) {
  std::vector<std::string> text;
  for (const Record& record : all(source)) {
    text.push_back(record.id + " " + bytes_of(record));
  }
  return text;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("members of a tar archive say where their bytes are") {
  const Folder folder;
  const std::string long_name = "deep/" + std::string(150, 'q') + ".png";
  const std::string pax = "19 path=pax/ü.jpg\n";
  REQUIRE(pax.size() == 19);
  const std::string tar = folder.file(
      "t.tar",
      tar_member("./one.jpg", "first") + tar_member("one.json", "{}") +
          tar_member("folder.jpg", "", '5') + tar_member("././@LongLink", long_name + '\0', 'L') +
          tar_member("short", "second") + tar_member("PaxHeaders/x", pax, 'x') +
          tar_member("y", "third") + tar_member("link.jpg", "", '2') + std::string(1024, '\0'));
  auto source = open_image_tar(tar);
  const std::vector<Record> records = all(*source);
  REQUIRE(ids(records) == std::vector<std::string>{"one.jpg", long_name, "pax/ü.jpg", "link.jpg"});
  CHECK(bytes_of(records[0]) == "first");
  CHECK(bytes_of(records[1]) == "second");
  CHECK(bytes_of(records[2]) == "third");
  REQUIRE(records[3].defect);
  CHECK(records[3].defect->reason == Reason::kUnsupported);
  CHECK(source->left_out().counts() == Counts{{".json files", 1}});

  auto reading = open_image_tar(tar);
  for (std::size_t at = 0; at < records.size(); ++at) {
    auto entered = open_image_tar(tar);
    REQUIRE(entered->seek(reading->cursor()));
    CHECK(all(*entered).size() == records.size() - at);
    Record record;
    REQUIRE(reading->next(record));
  }
}

TEST_CASE("an archive cut anywhere gives its whole members, and says that it was cut") {
  const Folder folder;
  const std::string whole = tar_member("1.jpg", std::string(700, 'a')) +
                            tar_member("2.jpg", std::string(20, 'b')) + std::string(1024, '\0');
  int defects = 0;
  for (std::size_t size = 512; size < whole.size(); size += 37) {
    const std::string tar = folder.file("cut.tar", whole.substr(0, size));
    const std::vector<Record> records = all(*open_image_tar(tar));
    for (const Record& record : records) {
      if (record.defect) {
        ++defects;
        CHECK(record.defect->reason == Reason::kTruncated);
        CHECK(&record == &records.back());
      }
    }
    const std::size_t complete = size >= 512 + 700 ? (size >= 512 * 4 + 20 ? 2U : 1U) : 0U;
    CHECK(static_cast<std::size_t>(std::count_if(records.begin(), records.end(),
                                                 [](const Record& r) { return !r.defect; })) ==
          complete);
  }
  CHECK(defects > 20);
}

TEST_CASE("an archive cut anywhere is never complete without a word, whatever its members are") {
  const Folder folder;
  const std::string name(150, 'q');
  const std::string members =
      tar_member("1.png", std::string(700, 'a')) + tar_member("1.json", std::string(600, '{')) +
      tar_member("x", pax_record("path", "2.cls"), 'x') + tar_member("y", std::string(20, '7')) +
      tar_member("sub/", "", '5') + tar_member("././@LongLink", name + '\0', 'L') +
      tar_member(name.substr(0, 90), std::string(1300, 'c')) +
      tar_member("._3.png", std::string(512, 'd'));
  const std::string whole = members + std::string(1024, '\0');
  // Where each member begins, with the headers that describe it; the folder is nothing by itself.
  const std::vector<std::size_t> begins{0, 1536, 3072, 5632, 8704};
  constexpr std::size_t kFolder = 5120;
  int rejects = 0;
  int warnings = 0;
  for (std::size_t size = 512; size <= whole.size(); size += 4) {
    CAPTURE(size);
    const std::string tar = folder.file("cut.tar", whole.substr(0, size));
    auto source = open_image_tar(tar);
    const std::vector<Record> records = all(*source);
    const bool rejected = !records.empty() && records.back().defect;
    const bool warned = !source->warning().empty();
    if (rejected) {
      CHECK(records.back().defect->reason == Reason::kTruncated);
    }
    REQUIRE((rejected || warned) == (size <= members.size()));
    // A member that is cut is a reject, and not left out as well.
    const auto begun = std::count_if(begins.begin(), begins.end(),
                                     [size](std::size_t begin) { return begin < size; }) +
                       (size > kFolder && size < kFolder + 512 ? 1 : 0);
    CHECK(records.size() + source->left_out().total() == static_cast<std::size_t>(begun));
    CHECK(!(rejected && warned));
    rejects += rejected ? 1 : 0;
    warnings += warned ? 1 : 0;
  }
  CHECK(rejects > 100);
  CHECK(warnings > 8);

  // The program's reader says it, once.
  fakes::RecordingLog log;
  InputSettings settings;
  settings.images = true;
  settings.inputs = {folder.file("open.tar", members)};
  settings.log = &log;
  const auto reader = open_images(settings);
  while (reader->next()) {
  }
  REQUIRE(log.warnings().size() == 1);
  CHECK(log.warnings().front().find("no end mark") != std::string::npos);
}

TEST_CASE("damage inside an archive ends it with a rejected record") {
  const Folder folder;
  std::string tar = tar_member("1.jpg", "a") + tar_member("2.jpg", "b") + tar_member("3.jpg", "c");
  tar[1024 + 3] = '!';
  const std::vector<Record> records = all(*open_image_tar(folder.file("d.tar", tar)));
  REQUIRE(records.size() == 2);
  CHECK(records[1].defect->reason == Reason::kBadRecord);
  CHECK_THROWS_AS(open_image_tar(folder.file("no.tar", std::string(2000, 'x'))), Error);
}

TEST_CASE("what follows an archive's end mark is read: archives one behind the other") {
  const Folder folder;
  const std::string one = tar_member("1.jpg", "a") + tar_member("notes.txt", "x");
  const std::string two = tar_member("2.jpg", "b");
  for (const std::size_t zeros : {512U, 1024U, 512U * 20, 512U * 300}) {
    const std::string between(zeros, '\0');
    auto source = open_image_tar(
        folder.file("cat.tar", one + between + two + between + one + std::string(700, '\0')));
    CHECK(seen(*source) == Texts{"1.jpg a", "2.jpg b", "1.jpg a"});
    CHECK(source->left_out().counts() == Counts{{".txt files", 2}});
  }
  auto empty_first = open_image_tar(folder.file("empty.tar", kEnd + two + kEnd));
  CHECK(seen(*empty_first) == Texts{"2.jpg b"});
}

TEST_CASE("bytes behind the end mark that are no member are a reject, not a silence") {
  const Folder folder;
  for (const std::size_t size : {1U, 511U, 512U, 2000U}) {
    const std::string tar = tar_member("1.jpg", "a") + kEnd + std::string(size, 'x');
    auto source = open_image_tar(folder.file("t.tar", tar));
    const std::vector<Record> records = all(*source);
    REQUIRE(ids(records) == Texts{"1.jpg", "byte 2048"});
    CHECK(records[1].defect->message.find("end mark") != std::string::npos);
  }
}

TEST_CASE("a hard link has the bytes of the last member of that name before it") {
  const Folder folder;
  const std::string long_name = std::string(180, 'n') + ".jpg";
  const std::string tar = folder.file(
      "t.tar", tar_member("data.bin", "bytes") + tar_member("l1.jpg", "", '1', "data.bin") +
                   tar_member("./a.jpg", "old") + tar_member("a.jpg", "new") +
                   tar_member("l2.jpg", "", '1', "./a.jpg") +
                   tar_member("l3.jpg", "", '1', "l2.jpg") + tar_member("a.jpg", "newest") +
                   tar_member("x", long_name + '\0', 'L') + tar_member("short", "long") +
                   tar_member("x", long_name + '\0', 'K') + tar_member("l4.jpg", "", '1', "cut") +
                   tar_member("x", pax_record("linkpath", "a.jpg"), 'x') +
                   tar_member("l5.jpg", "", '1', "cut") + tar_member("l6.txt", "", '1', "a.jpg") +
                   kEnd);
  const Texts expected{"l1.jpg bytes",      "a.jpg old",   "a.jpg new",
                       "l2.jpg new",        "l3.jpg new",  "a.jpg newest",
                       long_name + " long", "l4.jpg long", "l5.jpg newest"};
  auto whole = open_image_tar(tar);
  CHECK(seen(*whole) == expected);
  CHECK(whole->left_out().counts() == Counts{{".bin files", 1}, {".txt files", 1}});
  // Entered in the middle, nothing of the members before is remembered.
  auto source = open_image_tar(tar);
  for (std::size_t at = 0; at < expected.size(); ++at) {
    auto entered = open_image_tar(tar);
    REQUIRE(entered->seek(source->cursor()));
    CHECK(seen(*entered) ==
          Texts(expected.begin() + static_cast<std::ptrdiff_t>(at), expected.end()));
    Record record;
    REQUIRE(source->next(record));
  }
}

TEST_CASE("hard links without their bytes before them are rejects") {
  const Folder folder;
  auto source = open_image_tar(folder.file(
      "t.tar", tar_member("later.jpg", "", '1', "b.jpg") + tar_member("gone.jpg", "", '1', "none") +
                   tar_member("self.jpg", "", '1', "self.jpg") +
                   tar_member("sym.jpg", "", '2', "b.jpg") +
                   tar_member("to_sym.jpg", "", '1', "sym.jpg") + tar_member("b.jpg", "b") + kEnd));
  CHECK(seen(*source) == Texts{"later.jpg !unreadable", "gone.jpg !unreadable",
                               "self.jpg !unreadable", "sym.jpg !unsupported",
                               "to_sym.jpg !unsupported", "b.jpg b"});
}

TEST_CASE("more members than are remembered do not hide what a hard link names") {
  const Folder folder;
  std::string tar = tar_member("far.jpg", "far");
  for (int i = 0; i < 70'000; ++i) {
    tar += tar_header(std::to_string(i), 0, '0');
  }
  tar += tar_member("l.jpg", "", '1', "far.jpg") + tar_member("m.jpg", "", '1', "69999");
  auto source = open_image_tar(folder.file("t.tar", tar));
  CHECK(seen(*source) == Texts{"far.jpg far", "l.jpg far", "m.jpg "});
  CHECK(source->left_out().counts() == Counts{{"files without an ending", 70'000}});
}

TEST_CASE("hidden members, labels and members that are no images are counted, folders are not") {
  const Folder folder;
  auto source = open_image_tar(folder.file(
      "t.tar", tar_header("label.jpg", 0, 'V') + tar_member("d/", "", '5') +
                   tar_member("old/", "") + tar_member("d/1.jpg", "1") +
                   tar_member("d/._1.jpg", "fork") + tar_member("__MACOSX/d/._1.jpg", "fork") +
                   tar_member("d/.ipynb_checkpoints/1.jpg", "c") + tar_member("d/1.PDF", "p") +
                   tar_member("d/README", "r") + tar_member("d/link.txt", "", '2', "1.jpg") +
                   kEnd));
  CHECK(seen(*source) == Texts{"d/1.jpg 1"});
  CHECK(source->left_out().counts() == Counts{{"volume labels", 1},
                                              {"hidden files", 3},
                                              {".pdf files", 1},
                                              {".txt files", 1},
                                              {"files without an ending", 1}});
}

TEST_CASE("sparse members are named rejects, and what follows them is read") {
  const Folder folder;
  std::string sparse = tar_header("sparse.jpg", 512, 'S');
  sparse[482] = 1;
  sparse.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : sparse) {
    sum += static_cast<unsigned char>(c);
  }
  sparse.replace(148, 8, octal(sum, 6) + '\0' + ' ');
  std::string map(1024, '\0');
  map[504] = 1;  // one block more
  sparse += map + std::string(512, 'd');
  const std::string pax =
      tar_member("x",
                 pax_record("GNU.sparse.major", "1") + pax_record("GNU.sparse.name", "p/real.jpg") +
                     pax_record("path", "p/GNUSparseFile.0/real.jpg"),
                 'x') +
      tar_member("cut", std::string(600, 'm'));
  auto source =
      open_image_tar(folder.file("t.tar", sparse + pax + tar_member("1.jpg", "1") + kEnd));
  CHECK(seen(*source) == Texts{"sparse.jpg !unsupported", "p/real.jpg !unsupported", "1.jpg 1"});
}
