// Random damage to lists and archives of images: what is seen, as rows, rejects or counted as left
// out, is as many things as a second reading of the same bytes finds, written here for that alone.
#include <algorithm>
#include <cstdlib>
#include <random>

#include "base/error.hpp"
#include "image_helpers.hpp"
#include "input/image_reader.hpp"

using namespace longhaul;
using namespace longhaul::input;
using namespace longhaul::input::test;

namespace {

using Random = std::mt19937;

std::size_t below(Random& random, std::size_t n) {
  return n == 0 ? 0 : random() % n;
}

int rounds() {
  return std::getenv("LONGHAUL_LONG") != nullptr ? 400 : 40;
}

// Octal digits of a field, or the binary form of large numbers; nothing for other characters.
std::optional<std::uint64_t> field_value(const std::string& tar, std::size_t at, std::size_t size) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(tar[i]); };
  std::uint64_t value = 0;
  if (byte(at) >= 0x80) {
    for (std::size_t i = at + 1; i < at + size; ++i) {
      if (value >= 1ULL << 55) {
        return std::nullopt;
      }
      value = value * 256 + byte(i);
    }
    return value;
  }
  for (std::size_t i = at; i < at + size && byte(i) != 0; ++i) {
    if (byte(i) == ' ') {
      continue;
    }
    if (byte(i) < '0' || byte(i) > '7' || value >= 1ULL << 60) {
      return std::nullopt;
    }
    value = value * 8 + (byte(i) - '0');
  }
  return value;
}

bool is_header(const std::string& tar, std::size_t at) {
  std::uint64_t sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i) {
    sum += i / 4 == 37 || i / 4 == 38 ? 0U : static_cast<unsigned char>(tar[at + i]);
  }
  return field_value(tar, at + 148, 8) == sum && field_value(tar, at + 124, 12);
}

// Things in an archive: members but for folders, and one for what cannot be read.
std::size_t things_in_tar(const std::string& tar) {
  std::size_t things = 0;
  std::optional<std::uint64_t> pax_size;
  std::optional<std::string> long_name;
  bool extended = false;  // headers came that belong to the member which follows
  for (std::size_t at = 0;;) {
    const std::string block = tar.substr(std::min(at, tar.size()), 512);
    if (!extended && block.find_first_not_of('\0') == std::string::npos) {
      if (block.size() < 512) {
        return things;
      }
      at += 512;
      continue;
    }
    if (block.size() < 512 || !is_header(tar, at)) {
      return things + 1;
    }
    const char type = block[156];
    const bool describes = std::string("xgLK").find(type) != std::string::npos;
    std::uint64_t size = field_value(tar, at + 124, 12).value_or(0);
    std::size_t data = at + 512;
    if (!describes && pax_size) {
      size = *pax_size;
    }
    if (describes && type != 'g') {
      if (size > 1 << 20 || data + size > tar.size()) {
        return things + 1;
      }
      const std::string text = tar.substr(data, size);
      if (type == 'L') {
        long_name = text.substr(0, text.find('\0'));
      }
      // The archives here have pax records of these two kinds alone, each its header's only one.
      if (type == 'x' && text.find(" size=") != std::string::npos) {
        pax_size = std::strtoull(text.c_str() + text.find('=') + 1, nullptr, 10);
      }
      if (type == 'x' && text.find(" path=") != std::string::npos) {
        long_name = text.substr(text.find('=') + 1, text.size() - text.find('=') - 2);
      }
    }
    if (type >= '1' && type <= '6') {
      size = 0;
    }
    if (type == 'S') {
      bool more = block[482] != 0;
      while (more && data + 512 <= tar.size()) {
        more = tar[data + 504] != 0;
        data += 512;
      }
    }
    extended = describes;
    if (!describes) {
      const std::string name =
          long_name.value_or(block.substr(0, std::min<std::size_t>(100, block.find('\0'))));
      const bool file = type == '0' || type == '\0' || type == '7';
      things += type == '5' || type == 'D' || (file && name.ends_with('/')) ? 0U : 1U;
      pax_size.reset();
      long_name.reset();
    }
    if (size > tar.size()) {
      at = tar.size();
    } else {
      at = data + (size + 511) / 512 * 512;
    }
    if (describes && at >= tar.size()) {
      return things + 1;
    }
  }
}

std::string random_tar(Random& random) {
  const char* const kNames[] = {"a.jpg",  "b.PNG",  "c.txt",          "d/e.gif",  "d/._e.gif",
                                "README", ".x.jpg", "__MACOSX/a.jpg", "f.tar.gz", "g.webp"};
  std::string tar;
  const auto name = [&] { return std::string(kNames[below(random, std::size(kNames))]); };
  const auto content = [&] { return std::string(below(random, 1400), 'c'); };
  for (std::size_t members = 1 + below(random, 12); members > 0; --members) {
    switch (below(random, 10)) {
      case 0:
        tar += tar_member("d/", "", '5');
        break;
      case 1:
        tar += tar_member(name(), "", '1', name());
        break;
      case 2:
        tar += tar_member(name(), "", '2', name());
        break;
      case 3:
        tar += tar_member("x", std::string(120, 'n') + name() + '\0', 'L') +
               tar_member("cut", content());
        break;
      case 4:
        tar += tar_member("x", pax_record("path", "pax/" + name()), 'x') +
               tar_member("cut", content());
        break;
      case 5:
        tar += tar_member("g", pax_record("comment", "of all"), 'g');
        tar += tar_member(name(), content());
        break;
      case 6:
        tar += std::string(512 * (1 + below(random, 4)), '\0');
        break;
      default:
        tar += tar_member(name(), content());
    }
  }
  return tar + std::string(512 * below(random, 4), '\0');
}

// The sum of a changed header is made right again in half of all cases, else it is only refused.
void mutate_tar(std::string& tar, Random& random) {
  for (std::size_t change = below(random, 4); change > 0 && !tar.empty(); --change) {
    const std::size_t at = below(random, tar.size());
    const std::size_t header = at / 512 * 512;
    const bool whole = header + 512 <= tar.size();
    switch (below(random, 6)) {
      case 0:
        tar.resize(at);
        break;
      case 1:
        tar.insert(header, std::string(512, '\0'));
        break;
      case 2:
        tar.erase(header, 512);
        break;
      case 3:
        tar[at] = static_cast<char>(below(random, 256));
        break;
      case 4:
        tar += std::string(below(random, 1200), "\0x"[below(random, 2)]);
        break;
      default:
        if (whole && is_header(tar, header)) {
          tar[header + 156] = "0123456D7SVA"[below(random, 12)];
          tar.replace(header + 124, 12, octal(below(random, 3000), 11) + '\0');
          std::uint64_t sum = 8 * ' ';
          for (std::size_t i = 0; i < 512; ++i) {
            sum += i >= 148 && i < 156 ? 0U : static_cast<unsigned char>(tar[header + i]);
          }
          tar.replace(header + 148, 8, octal(sum, 6) + std::string("\0 ", 2));
        }
    }
  }
}

// What is seen, reading on from any record's place as well as at one go.
std::size_t seen_in(const InputSettings& settings) {
  const auto reader = open_images(settings);
  std::size_t records = 0;
  std::vector<InputPosition> places{reader->position()};
  while (reader->next()) {
    ++records;
    places.push_back(reader->position());
  }
  const LeftOut left_out = reader->left_out();
  for (std::size_t at = 0; at < places.size(); at += 1 + places.size() / 4) {
    const auto entered = open_images(settings);
    REQUIRE(entered->seek(places[at]));
    std::size_t rest = 0;
    while (entered->next()) {
      ++rest;
    }
    CHECK(at + rest == records);
    CHECK(entered->left_out() == left_out);
  }
  return records + left_out.total();
}

}  // namespace

TEST_CASE("of mutants of tar archives as many things are seen as there are") {
  const Folder folder;
  Random random(7);
  int refused = 0;
  std::size_t all_things = 0;
  for (int round = 0; round < rounds(); ++round) {
    std::string tar = random_tar(random);
    mutate_tar(tar, random);
    InputSettings settings;
    settings.inputs = {folder.file("m.tar", tar)};
    settings.images = true;
    const std::size_t things = things_in_tar(tar);
    all_things += things;
    CAPTURE(round, tar.size(), things);
    try {
      const std::size_t seen = seen_in(settings);
      CHECK(seen == things);
    } catch (const Error& error) {
      // No image in it, or no archive at all.
      ++refused;
      CHECK(error.code() == ExitCode::kBadData);
      const std::string text = error.what();
      const bool none = text.find("holds no images") != std::string::npos;
      CHECK((none || text.find("is not a tar archive") != std::string::npos));
    }
  }
  CHECK(refused < rounds() / 3);
  CHECK(all_things > static_cast<std::size_t>(rounds()) * 2);
}

TEST_CASE("of mutants of lists every line that is not empty is seen") {
  const Folder folder;
  Random random(11);
  const std::string kSpice[] = {"\n", "\r", "\r\n", ",", ",,", "\xff", " ", "x.jpg\n", "#", "\t"};
  for (int round = 0; round < rounds() * 2; ++round) {
    const bool table = round % 2 == 1;
    std::string list;
    for (std::size_t line = 1 + below(random, 20); line > 0; --line) {
      list += table ? "i" + std::to_string(line) + ",a/" + std::to_string(line) + ".jpg,label\n"
                    : "a/" + std::to_string(line) + ".jpg\n";
    }
    for (std::size_t change = below(random, 6); change > 0; --change) {
      const std::size_t at = below(random, list.size() + 1);
      if (below(random, 3) == 0) {
        list.erase(at, below(random, 12));
      } else {
        list.insert(at, kSpice[below(random, std::size(kSpice))]);
      }
    }
    list += "last.jpg";
    list += table ? ",last.jpg,x\n" : "\n";
    std::size_t lines = 0;
    for (std::size_t at = 0; at < list.size();) {
      const std::size_t end = std::min(list.find_first_of("\r\n", at), list.size());
      lines += end > at ? 1 : 0;
      at = end + 1;
    }
    InputSettings settings;
    settings.images = true;
    settings.files_from =
        folder.file(table ? "l.csv" : "l.txt", (table ? "id,path,label\n" : "") + list);
    CAPTURE(round, list);
    CHECK(seen_in(settings) == lines);
  }
}
