#include "input/image_reader.hpp"
#include "input/input_digest.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "image_helpers.hpp"
#include "input/image_source.hpp"

namespace fs = std::filesystem;
using namespace longhaul::input::test;
using longhaul::Error;
using longhaul::ExitCode;
using longhaul::Reason;
using longhaul::Record;
using longhaul::input::ImageSource;
using longhaul::input::InputSettings;

namespace {

InputSettings settings_of(const std::vector<std::string>& inputs) {
  InputSettings settings;
  settings.inputs = inputs;
  settings.images = true;
  return settings;
}

ExitCode code_of(const InputSettings& settings) {
  try {
    longhaul::input::open_images(settings);
  } catch (const Error& error) {
    return error.code();
  }
  return ExitCode::kDone;
}

}  // namespace

TEST_CASE("a source that was read can be sent on, and back") {
  const Folder folder;
  std::string lines = "path,id\n";
  std::string members;
  for (int i = 0; i < 40; ++i) {
    const std::string number = std::to_string(i);
    folder.file("in/x" + number + ".png");
    folder.file("in/m/" + number + ".png");
    folder.file("in/m.d/a/" + number + ".png");
    folder.file("in/m/" + number + ".json");
    lines += "there/" + number + ".png," + number + "\n,\n";
    members += tar_member("n" + number + ".txt", "a") + tar_member(number + ".png", "b");
  }
  folder.file("list.csv", lines);
  folder.file("t.tar", members + std::string(1024, '\0'));
  InputSettings list = settings_of({});
  list.files_from = folder.path("list.csv");
  const auto open = [&](int kind) {
    return kind == 0   ? longhaul::input::open_image_folder(folder.path("in"), 7)
           : kind == 1 ? longhaul::input::open_image_list(list)
                       : longhaul::input::open_image_tar(folder.path("t.tar"));
  };
  for (const int kind : {0, 1, 2}) {
    CAPTURE(kind);
    std::vector<std::string> cursors;
    std::vector<std::string> whole;
    const auto first = open(kind);
    for (Record record;; record = {}) {
      cursors.push_back(first->cursor());
      if (!first->next(record)) {
        break;
      }
      whole.push_back(record.id);
    }
    REQUIRE(whole.size() == (kind == 0 ? 120 : 40));
    const auto source = open(kind);
    const std::size_t places = cursors.size();
    for (std::size_t i = 0, at = 0; i < 300; ++i) {
      at = i % 5 == 4 ? (at + 61) % places : (at + i % 9) % places;
      REQUIRE(source->seek(cursors[at]));
      REQUIRE(source->left_out().empty());
      const auto fresh = open(kind);
      REQUIRE(fresh->seek(cursors[at]));
      for (std::size_t k = 0; k < 3; ++k) {
        Record record;
        Record again;
        const bool more = source->next(record);
        REQUIRE(more == (at + k < whole.size()));
        REQUIRE(fresh->next(again) == more);
        if (more) {
          REQUIRE(record.id == whole[at + k]);
          REQUIRE(again.payload == record.payload);
        }
        REQUIRE(source->left_out() == fresh->left_out());
        REQUIRE(source->cursor() == fresh->cursor());
      }
    }
  }
}

TEST_CASE("several inputs follow each other, and any place in them can be entered") {
  const Folder folder;
  folder.file("one/1.jpg");
  folder.file("one/2.jpg");
  folder.file("two/1.jpg");
  folder.file("single.jpg");
  const std::string tar = folder.file("t.tar", tar_member("1.jpg", "a") + tar_member("2.jpg", "b"));
  const std::string list =
      folder.file("list.csv", "path,label\n" + folder.path("one/1.jpg") + ",\"a,b\"\nnone.jpg,c\n");
  InputSettings settings =
      settings_of({folder.path("one"), folder.path("two"), tar, folder.path("single.jpg")});
  const auto reader = longhaul::input::open_images(settings);
  std::vector<longhaul::input::InputPosition> positions;
  std::vector<Record> records;
  for (;;) {
    positions.push_back(reader->position());
    std::optional<Record> record = reader->next();
    if (!record) {
      break;
    }
    records.push_back(*record);
  }
  REQUIRE(ids(records) ==
          std::vector<std::string>{"1.jpg", "2.jpg", "1.jpg", "1.jpg", "2.jpg", "single.jpg"});
  CHECK(records[0].source == folder.path("one"));
  CHECK(records[2].source == folder.path("two"));
  CHECK(records[5].position == 5);
  for (std::size_t at = 0; at < positions.size(); ++at) {
    const auto entered = longhaul::input::open_images(settings);
    REQUIRE(entered->seek(positions[at]));
    for (std::size_t i = at; i < records.size(); ++i) {
      const std::optional<Record> record = entered->next();
      REQUIRE(record);
      CHECK(record->position == i);
      CHECK(record->payload == records[i].payload);
    }
    CHECK_FALSE(entered->next());
  }

  InputSettings listed = settings_of({});
  listed.files_from = list;
  listed.keep_columns = {"label"};
  const auto from_list = longhaul::input::open_images(listed);
  const std::optional<Record> first = from_list->next();
  REQUIRE(first);
  CHECK(first->kept == std::vector<std::string>{"a,b"});
  const std::optional<Record> second = from_list->next();
  REQUIRE(second);
  CHECK(second->id == "none.jpg");
  CHECK(second->line == 3);
  CHECK_FALSE(from_list->next());
}

TEST_CASE("a list that is a pipe is read once, and to its end") {
  const Folder folder;
  folder.file("one/1.jpg");
  folder.file("one/2.jpg");
  for (const bool table : {false, true}) {
    CAPTURE(table);
    std::vector<std::string> lines;
    std::string text = table ? "path,label\n" : "";
    for (int i = 0; i < 20'000; ++i) {
      lines.push_back("./somewhere/quite/far/from/here/" + std::to_string(i) + ".png");
      text += lines.back() + (table ? ",x" : "") + "\n";
    }
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    std::thread writer([&] {
      for (std::size_t at = 0; at < text.size();) {
        const ssize_t done = ::write(ends[1], text.data() + at, text.size() - at);
        at = done > 0 ? at + static_cast<std::size_t>(done) : text.size();
      }
      ::close(ends[1]);
    });
    InputSettings settings = settings_of({folder.path("one")});
    settings.files_from = "/dev/fd/" + std::to_string(ends[0]);
    if (table) {  // a table is known by its name
      settings.files_from = folder.path("list.csv");
      fs::create_symlink("/dev/fd/" + std::to_string(ends[0]), *settings.files_from);
    }
    const auto reader = longhaul::input::open_images(settings);
    const longhaul::input::InputPosition beginning = reader->position();
    std::vector<Record> records;
    while (std::optional<Record> record = reader->next()) {
      records.push_back(std::move(*record));
    }
    writer.join();
    ::close(ends[0]);
    REQUIRE(records.size() == lines.size() + 2);
    int wrong = 0;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      wrong += records[i + 2].payload == lines[i] ? 0 : 1;
    }
    CHECK(wrong == 0);
    CHECK(reader->seek(reader->position()));
    CHECK_FALSE(reader->seek(beginning));
  }
}

TEST_CASE("a pipe's list can be entered further on, while nothing of it was read") {
  const Folder folder;
  folder.file("one/1.jpg");
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  REQUIRE(::write(ends[1], "a.png\nb.png\nc.png\n", 18) == 18);
  ::close(ends[1]);
  InputSettings settings = settings_of({folder.path("one")});
  settings.files_from = "/dev/fd/" + std::to_string(ends[0]);
  const auto reader = longhaul::input::open_images(settings);
  REQUIRE(reader->seek({3, 3, "source=1 after=2", {}}));
  CHECK(reader->next()->id == "c.png");
  CHECK_FALSE(reader->next());
  CHECK_FALSE(reader->seek({3, 3, "source=1 after=2", {}}));
  ::close(ends[0]);
}

TEST_CASE("a bad line of a list is a rejected record with its line, wherever reading began") {
  const Folder folder;
  folder.file("1.jpg");
  InputSettings settings = settings_of({});
  settings.files_from = folder.file("list.csv", "id,path,label\na," + folder.path("1.jpg") +
                                                    ",x\nb,,y\n\nc,too,many,fields\nd\ne," +
                                                    folder.path("1.jpg") + ",z\n");
  settings.keep_columns = {"label"};
  settings.id_column = "id";
  const auto reader = longhaul::input::open_images(settings);
  std::vector<longhaul::input::InputPosition> places;
  std::vector<std::string> seen;
  for (;;) {
    places.push_back(reader->position());
    const std::optional<Record> record = reader->next();
    if (!record) {
      break;
    }
    REQUIRE(record->kept.size() == 1);
    seen.push_back(record->id + " " + std::to_string(record->line) + " " + record->kept[0] +
                   (record->defect ? " " + record->defect->message : ""));
  }
  CHECK(seen == std::vector<std::string>{"a 2 x", "b 3 y the path is empty",
                                         "c 5  4 fields where the header has 3",
                                         "d 6  1 fields where the header has 3", "e 7 z"});
  for (std::size_t at = 0; at < places.size(); ++at) {
    const auto entered = longhaul::input::open_images(settings);
    REQUIRE(entered->seek(places[at]));
    std::size_t rest = 0;
    while (entered->next()) {
      ++rest;
    }
    CHECK(at + rest == seen.size());
  }
  settings = settings_of({});
  settings.files_from = folder.file("all_bad.csv", "path\n\"\"\n\"\"\n");
  const auto bad = longhaul::input::open_images(settings);
  CHECK(bad->next()->id == "line 2");
  CHECK(bad->next()->defect->reason == Reason::kEmpty);
  CHECK_FALSE(bad->next());
}

TEST_CASE("the number of images becomes known for the progress display") {
  const Folder folder;
  for (int i = 0; i < 300; ++i) {
    folder.file(std::to_string(i % 7) + "/" + std::to_string(i) + ".png");
  }
  const auto reader = longhaul::input::open_images(settings_of({folder.path()}));
  for (int i = 0; i < 1000 && !reader->progress().records_total; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(reader->progress().records_total == 300U);
}

TEST_CASE("a digest knows names and sizes of images, and apart from them their times") {
  const Folder one;
  const Folder two;
  const auto digest_of = [](const Folder& folder) {
    longhaul::input::InputDigest digest;
    const auto reader = longhaul::input::open_images(settings_of({folder.path()}));
    while (const auto record = reader->next()) {
      digest.add(*record);
    }
    return digest.value();
  };
  const auto time = fs::last_write_time(one.file("a.jpg", "same"));
  fs::last_write_time(two.file("a.jpg", "same"), time);
  CHECK(digest_of(one) == digest_of(two));
  // Other bytes, as many: only the time tells.
  fs::last_write_time(two.file("a.jpg", "emas"), time + std::chrono::seconds(1));
  CHECK(digest_of(one).content == digest_of(two).content);
  CHECK_FALSE(digest_of(one).times == digest_of(two).times);
  fs::last_write_time(two.file("a.jpg", "other"), time);
  CHECK_FALSE(digest_of(one).content == digest_of(two).content);
  CHECK(digest_of(one).times == digest_of(two).times);
}

TEST_CASE("inputs that cannot be images are refused with their name") {
  const Folder folder;
  folder.file("only.txt");
  CHECK(code_of(settings_of({})) == ExitCode::kUsage);
  CHECK(code_of(settings_of({"-"})) == ExitCode::kUsage);
  CHECK(code_of(settings_of({folder.path("absent")})) == ExitCode::kIo);
  CHECK(code_of(settings_of({folder.path()})) == ExitCode::kBadData);
  CHECK(code_of(settings_of({folder.file("a.tar.gz")})) == ExitCode::kUsage);
  CHECK(code_of(settings_of({folder.file("a.tar")})) == ExitCode::kBadData);
  folder.file("one.jpg");
  CHECK(code_of(settings_of({folder.path(), folder.path("absent")})) == ExitCode::kIo);
  InputSettings kept = settings_of({folder.path()});
  kept.keep_columns = {"label"};
  CHECK(code_of(kept) == ExitCode::kUsage);
  CHECK(code_of(settings_of({folder.path()})) == ExitCode::kDone);
}

TEST_CASE("a file of sequences is refused as a whole, by its name or its first line") {
  const Folder folder;
  const auto said = [](const std::string& path,
                       std::optional<longhaul::input::InputFormat> format = {}) {
    InputSettings settings = settings_of({path});
    settings.format = format;
    try {
      longhaul::input::open_images(settings);
    } catch (const Error& error) {
      return std::to_string(to_int(error.code())) + " " + error.what() + "; " + error.remedy();
    }
    return std::string("opened");
  };
  const std::string table = folder.file("h300.csv", "id,sequence\na,MK\n");
  CHECK(said(table).find("65 this model takes images; " + table +
                         " is a file of sequences (csv); give folders") == 0);
  CHECK(said(folder.file("x.fasta.gz", "\x1f\x8b\x08")).find("(fasta)") != std::string::npos);
  CHECK(said(folder.file("chains", ">a\nMK\n")).find("(fasta)") != std::string::npos);
  CHECK(said(folder.file("l.txt", "{\"seq\": \"MK\"}\n")).find("(jsonl)") != std::string::npos);
  CHECK(said(folder.file("t.txt", "id;sequence\na;MK\n")).find("(csv)") != std::string::npos);
  CHECK(said(folder.file("photo", "\xff\xd8\xff\xe0")) == "opened");
  CHECK(said(folder.file("photo.jpg", "a placeholder\n")) == "opened");
  CHECK(said(folder.file("b.jpg"), longhaul::input::InputFormat::kCsv).find("leave out --format") !=
        std::string::npos);
}
