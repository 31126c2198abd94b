#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "input/image_place.hpp"
#include "input/image_source.hpp"
#include "input/tar_archive.hpp"

namespace longhaul::input {
namespace {

// Where the members passed last begin, by a hash of their names: 1 MiB. A hard link to one of these
// is found at once, one to an earlier member by reading all headers before the link again.
class RecentMembers {
 public:
  void add(std::string_view name, std::uint64_t header) {
    const Entry entry{hash64(name), header};
    if (entries_.size() < kMost) {
      entries_.push_back(entry);
    } else {
      entries_[oldest_] = entry;
      oldest_ = (oldest_ + 1) % kMost;
    }
  }

  // Calls `take` with the places of members of that name, the last one first, until it is true.
  template <typename Take>
  bool find(std::string_view name, Take&& take) const {
    const std::uint64_t hash = hash64(name);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      const Entry& entry = entries_[(oldest_ + entries_.size() - 1 - i) % entries_.size()];
      if (entry.hash == hash && take(entry.header)) {
        return true;
      }
    }
    return false;
  }

 private:
  static constexpr std::size_t kMost = 65536;
  struct Entry {
    std::uint64_t hash = 0;
    std::uint64_t header = 0;
  };
  std::vector<Entry> entries_;
  std::size_t oldest_ = 0;
};

class ImageTar : public ImageSource {
 public:
  explicit ImageTar(const std::string& path) : path_(path), archive_(path) {}

  bool next(Record& record) override {
    while (!ended_) {
      TarArchive::Found found = archive_.find(at_);
      if (!found.member) {
        ended_ = true;
        no_end_mark_ = !found.defect && !cut_ && at_ >= archive_.size();
        if (found.defect) {
          broken(record, found);
        }
        return record.defect.has_value();
      }
      at_ = found.member->next;
      cut_ = found.member->cut;
      recent_.add(found.member->name, found.member->header);
      if (is_image(*found.member)) {
        fill(*found.member, record);
        return true;
      }
      if (cut_) {
        fill_cut(*found.member, record);
        return true;
      }
      leave_out(*found.member);
    }
    return false;
  }

  std::string cursor() const override { return std::to_string(ended_ ? archive_.size() : at_); }

  bool seek(std::string_view cursor) override {
    const std::optional<std::uint64_t> at = parse_count(cursor);
    if (!at) {
      return false;
    }
    at_ = *at;
    ended_ = at_ >= archive_.size();
    cut_ = false;
    no_end_mark_ = false;
    recent_ = {};  // of what is passed over, hard links may mean a later member of that name
    left_out_ = {};
    return true;
  }

  LeftOut left_out() const override { return left_out_; }

  std::string warning() const override {
    return no_end_mark_ ? printable(path_, 400) +
                              " has no end mark: if it was cut between two members, those behind "
                              "are missing; compare it with where it came from"
                        : "";
  }

 private:
  static bool is_image(const TarMember& member) {
    return member.kind != TarMember::Kind::kFolder && member.kind != TarMember::Kind::kLabel &&
           !is_hidden_path(member.name) && has_image_extension(member.name);
  }

  // A folder is no more than its members.
  void leave_out(const TarMember& member) {
    if (member.kind == TarMember::Kind::kLabel) {
      left_out_.add("volume labels");
    } else if (member.kind != TarMember::Kind::kFolder) {
      left_out_.add_file(member.name);
    }
  }

  // The archive is read no further.
  void broken(Record& record, const TarArchive::Found& found) {
    record.id = "byte " + std::to_string(found.at);
    record.payload = path_;
    record.byte = found.at;
    record.defect =
        Defect{found.defect->reason, found.defect->message + "; the archive is read no further"};
  }

  // A member that is no image: what follows it would be missing without a word.
  void fill_cut(const TarMember& member, Record& record) {
    record.id = member.name;
    record.payload = path_;
    record.byte = member.offset;
    record.defect = Defect{Reason::kTruncated,
                           "the archive ends inside this member, and what followed it is missing"};
  }

  void fill(const TarMember& member, Record& record) {
    record.id = member.name;
    record.byte = member.offset;
    const std::optional<TarMember> bytes = member.kind == TarMember::Kind::kHardLink
                                               ? linked(member)
                                               : std::optional<TarMember>(member);
    const std::uint64_t size = bytes ? bytes->size : 0;
    const std::uint64_t offset = bytes ? bytes->offset : member.offset;
    record.payload = to_payload({path_, ImagePlace::Stretch{offset, size}});
    record.stamp = {size, static_cast<std::int64_t>(member.modified), 0};
    if (!bytes) {
      record.defect =
          Defect{Reason::kUnreadable, "is a hard link to " + printable(member.target, 400) +
                                          ", which the archive does not hold before it"};
    } else if (bytes->kind != TarMember::Kind::kFile) {
      record.defect = Defect{Reason::kUnsupported, bytes->kind == TarMember::Kind::kSparse
                                                       ? "is stored sparse in the archive"
                                                       : "is a symbolic link or no file at all"};
    } else if (bytes->cut) {
      record.defect = Defect{Reason::kTruncated, "the archive ends inside it"};
    }
  }

  // The member whose bytes a hard link shares: the last one of that name before it, as unpacking
  // would have it.
  std::optional<TarMember> linked(const TarMember& link) const {
    TarMember member = link;
    while (member.kind == TarMember::Kind::kHardLink) {
      std::optional<TarMember> target = last_before(member.header, member.target);
      if (!target) {
        return std::nullopt;
      }
      member = std::move(*target);
    }
    return member;
  }

  std::optional<TarMember> last_before(std::uint64_t end, const std::string& name) const {
    std::optional<TarMember> last;
    const auto take = [&](std::uint64_t header) {
      TarArchive::Found found = archive_.find(header);
      if (header >= end || !found.member || found.member->name != name) {
        return false;
      }
      last = std::move(found.member);
      return true;
    };
    if (recent_.find(name, take)) {
      return last;
    }
    for (std::uint64_t at = 0; at < end;) {
      TarArchive::Found found = archive_.find(at);
      if (!found.member || found.member->header >= end) {
        break;
      }
      at = found.member->next;
      if (found.member->name == name) {
        last = std::move(found.member);
      }
    }
    return last;
  }

  std::string path_;
  TarArchive archive_;
  RecentMembers recent_;
  LeftOut left_out_;
  std::uint64_t at_ = 0;  // where the next member's headers begin
  bool ended_ = false;
  bool cut_ = false;  // the archive ends inside the member before at_
  bool no_end_mark_ = false;
};

}  // namespace

std::unique_ptr<ImageSource> open_image_tar(const std::string& path) {
  return std::make_unique<ImageTar>(path);
}

}  // namespace longhaul::input
