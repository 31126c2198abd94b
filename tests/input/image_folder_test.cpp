#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "image_helpers.hpp"
#include "input/image_source.hpp"

namespace fs = std::filesystem;
using namespace longhaul::input::test;
using longhaul::Reason;
using longhaul::Record;

TEST_CASE("a folder is walked depth first, each folder's entries in bytewise order") {
  const Folder folder;
  for (const char* name : {"b.jpg", "a/z.PNG", "a/b/c.jpeg", "a/a.tif", "B.webp", "c.txt", "d",
                           "a.bmp", "e/notes.md", "z.TIFF", ".hidden.jpg", "._B.webp",
                           "__MACOSX/B.webp", "a/.ipynb_checkpoints/z.PNG", "d.txt/1.jpg"}) {
    folder.file(name);
  }
  REQUIRE(::mkfifo(folder.path("pipe").c_str(), 0600) == 0);
  fs::create_symlink("c.txt", folder.path("link.md"));
  const auto source = longhaul::input::open_image_folder(folder.path());
  const std::vector<Record> records = all(*source);
  CHECK(ids(records) == std::vector<std::string>{"B.webp", "a/a.tif", "a/b/c.jpeg", "a/z.PNG",
                                                 "a.bmp", "b.jpg", "d.txt/1.jpg", "z.TIFF"});
  CHECK(records[1].payload == folder.path("a/a.tif"));
  CHECK(records[1].stamp.value().size == 1);
  CHECK(source->left_out().counts() == Counts{{"hidden files", 2},
                                              {"hidden folders", 2},
                                              {".txt files", 1},
                                              {".md files", 2},
                                              {"files without an ending", 1},
                                              {"special files", 1}});
}

TEST_CASE(
    "a folder larger than what is held comes in the same order, and can be entered anywhere") {
  const Folder folder;
  for (int i = 0; i < 40; ++i) {
    folder.file("x" + std::to_string(i * 7 % 40) + ".png");
    folder.file("m/" + std::to_string(i * 11 % 40) + " a%\n\xFF.png");
    folder.file("m/" + std::to_string(i * 11 % 40) + " a.json");
    folder.file("x" + std::to_string(i * 7 % 40) + ".txt");
  }
  folder.file("zz.txt");
  const std::vector<std::string> whole =
      ids(all(*longhaul::input::open_image_folder(folder.path())));
  REQUIRE(whole.size() == 80);
  for (const std::size_t held : {1U, 3U, 39U, 40U, 41U}) {
    auto source = longhaul::input::open_image_folder(folder.path(), held);
    REQUIRE(ids(all(*source)) == whole);
    REQUIRE(source->left_out().counts() == Counts{{".json files", 40}, {".txt files", 41}});
  }
  auto source = longhaul::input::open_image_folder(folder.path(), 7);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    const std::string cursor = source->cursor();
    longhaul::LeftOut left_out = source->left_out();
    for (const char c : cursor) {
      REQUIRE((c > ' ' && c < 0x7F));
    }
    auto entered = longhaul::input::open_image_folder(folder.path(), 7);
    REQUIRE(entered->seek(cursor));
    REQUIRE(ids(all(*entered)) ==
            std::vector<std::string>(whole.begin() + static_cast<std::ptrdiff_t>(at), whole.end()));
    left_out.add(entered->left_out());
    REQUIRE(left_out.total() == 81);
    Record record;
    REQUIRE(source->next(record));
    REQUIRE(record.id == whole[at]);
  }
}

TEST_CASE("a hard link behind a place that was gone to means the member before it") {
  const Folder folder;
  const std::string path = folder.file(
      "t.tar", tar_member("a.png", "old") + tar_member("b.png", "x") + tar_member("a.png", "new!") +
                   tar_member("c.png", "y") + tar_member("l.png", "", '1', "a.png"));
  const auto source = longhaul::input::open_image_tar(path);
  std::vector<std::string> cursors;
  std::vector<Record> records;
  for (Record record; cursors.push_back(source->cursor()), source->next(record); record = {}) {
    records.push_back(record);
  }
  REQUIRE(records.size() == 5);
  const auto again = longhaul::input::open_image_tar(path);
  Record record;
  REQUIRE(again->next(record));
  REQUIRE(again->seek(cursors[4]));
  record = {};
  REQUIRE(again->next(record));
  CHECK(record.payload == records[4].payload);
  CHECK(record.stamp.value().size == 4);
}

TEST_CASE("a walk goes on behind a place that is no longer there") {
  const Folder folder;
  for (const char* name : {"a/1.jpg", "a/2.jpg", "b/1.jpg"}) {
    folder.file(name);
  }
  auto source = longhaul::input::open_image_folder(folder.path());
  Record record;
  REQUIRE(source->next(record));
  const std::string cursor = source->cursor();
  fs::remove_all(folder.path("a"));
  auto entered = longhaul::input::open_image_folder(folder.path());
  REQUIRE(entered->seek(cursor));
  CHECK(ids(all(*entered)) == std::vector<std::string>{"b/1.jpg"});
}

TEST_CASE("links are followed; loops are passed over, and links to nothing are rejected") {
  const Folder folder;
  folder.file("a/1.jpg");
  fs::create_symlink("1.jpg", folder.path("a/2.jpg"));
  fs::create_directory_symlink("..", folder.path("a/up"));
  fs::create_directory_symlink(".", folder.path("a/here.jpg"));
  fs::create_symlink("nowhere", folder.path("dangling.jpg"));
  fs::create_symlink("nowhere", folder.path("dangling"));
  fs::create_directory_symlink("a", folder.path("again"));
  fs::create_directory_symlink("../a", folder.path("a/.hidden"));
  REQUIRE(::mkfifo(folder.path("pipe.png").c_str(), 0600) == 0);
  auto source = longhaul::input::open_image_folder(folder.path());
  const std::vector<Record> records = all(*source);
  CHECK(ids(records) == std::vector<std::string>{"a/1.jpg", "a/2.jpg", "again/1.jpg", "again/2.jpg",
                                                 "dangling.jpg", "pipe.png"});
  CHECK(source->left_out().counts() ==
        Counts{{"looping links", 4}, {"hidden folders", 2}, {"files without an ending", 1}});
  REQUIRE(records[4].defect);
  CHECK(records[4].defect->reason == Reason::kUnreadable);
  REQUIRE(records[5].defect);
  CHECK(records[5].defect->reason == Reason::kUnreadable);
}

TEST_CASE("a folder that cannot be read is a rejected record, and the walk goes on") {
  const Folder folder;
  folder.file("a/1.jpg");
  folder.file("b.jpg");
  fs::permissions(folder.path(), fs::perms::all);
  fs::permissions(folder.path("a"), fs::perms::none);
  // The superuser can read every folder: be somebody else for a moment.
  const bool superuser = ::geteuid() == 0;
  REQUIRE((!superuser || ::seteuid(65534) == 0));
  auto source = longhaul::input::open_image_folder(folder.path());
  const std::vector<Record> records = all(*source);
  REQUIRE((!superuser || ::seteuid(0) == 0));
  fs::permissions(folder.path("a"), fs::perms::owner_all);
  REQUIRE(ids(records) == std::vector<std::string>{"a/", "b.jpg"});
  REQUIRE(records[0].defect);
  CHECK(records[0].defect->reason == Reason::kUnreadable);
}

TEST_CASE("names of 255 bytes are read") {
  const Folder folder;
  folder.file(std::string(251, 'n') + ".jpg");
  CHECK(all(*longhaul::input::open_image_folder(folder.path())).at(0).id.size() == 255);
}
