// Tar archives, as members and as images: reading ends, each member is found again where it begins,
// and any position can be entered again. A header's sum keeps mutations out, so each input is read
// as it is and with the sums of its headers right.
#include <algorithm>
#include <cstdio>

#include "fuzz/property.hpp"
#include "input/image_source.hpp"
#include "input/input_helpers.hpp"
#include "input/tar_archive.hpp"

using namespace longhaul;
using namespace longhaul::input;

namespace {

constexpr std::size_t kBlock = 512;

// The sum of each block that says that it is a header put right.
std::string summed(std::string tar) {
  for (std::size_t at = 0; at + kBlock <= tar.size(); at += kBlock) {
    if (tar.compare(at + 257, 5, "ustar") != 0) {
      continue;
    }
    tar.replace(at + 148, 8, 8, ' ');
    unsigned sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      sum += static_cast<unsigned char>(tar[at + i]);
    }
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    tar.replace(at + 148, 7, digits, 7);
  }
  return tar;
}

bool same(const TarMember& a, const TarMember& b) {
  return a.name == b.name && a.target == b.target && a.kind == b.kind && a.header == b.header &&
         a.offset == b.offset && a.size == b.size && a.next == b.next && a.modified == b.modified;
}

void check_members(const std::string& path) {
  const TarArchive archive(path);
  for (std::uint64_t at = 0;;) {
    const TarArchive::Found found = archive.find(at);
    if (!found.member) {
      break;
    }
    const TarMember& member = *found.member;
    fuzz::require(
        member.header >= at && member.offset > member.header && member.next >= member.offset,
        "members follow each other");
    const TarArchive::Found again = archive.find(member.header);
    fuzz::require(again.member && same(*again.member, member), "a member is found where it begins");
    at = member.next;
  }
}

std::string shown(const Record& record) {
  const FileStamp stamp = record.stamp.value_or(FileStamp{});
  return input::test::shown(record) + " " + std::to_string(stamp.size) + " " +
         std::to_string(stamp.seconds);
}

void check_images(const std::string& path) {
  const auto whole = open_image_tar(path);
  std::vector<std::string> records;
  std::vector<std::string> cursors;
  std::vector<LeftOut> left_out;
  for (bool more = true; more;) {
    cursors.push_back(whole->cursor());
    left_out.push_back(whole->left_out());
    Record record;
    more = whole->next(record);
    if (more) {
      records.push_back(shown(record));
    }
  }
  for (std::size_t from = 0; from < cursors.size(); ++from) {
    const auto entered = open_image_tar(path);
    fuzz::require(entered->seek(cursors[from]), "a cursor that a source gave can be entered");
    std::vector<std::string> rest;
    for (Record record; entered->next(record); record = {}) {
      rest.push_back(shown(record));
    }
    fuzz::require(std::equal(rest.begin(), rest.end(),
                             records.begin() + static_cast<std::ptrdiff_t>(from), records.end()),
                  "reading from a cursor gives the same rest", cursors[from]);
    LeftOut sum = left_out[from];
    sum.add(entered->left_out());
    fuzz::require(sum == whole->left_out(), "what is left out is counted once", cursors[from]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const input::test::TemporaryFolder folder;
  const std::string tar(fuzz::text_of(data, size));
  const std::string right = summed(tar);
  for (const std::string& bytes : {tar, right}) {
    const std::string path = folder.write("x.tar", bytes);
    const input::test::Thrown thrown = input::test::thrown_by([&] {
      check_members(path);
      check_images(path);
    });
    fuzz::require(thrown.code == 0 || thrown.code == to_int(ExitCode::kBadData),
                  "what is no archive is bad data", thrown.text);
    if (right == tar) {
      break;
    }
  }
  return 0;
}
