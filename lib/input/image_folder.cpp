#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/text.hpp"
#include "input/image_place.hpp"
#include "input/image_source.hpp"

namespace longhaul::input {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

class ImageFolder : public ImageSource {
 public:
  ImageFolder(std::string path, std::size_t names_held)
      : root_(std::move(path)), names_held_(names_held) {
    if (root_.empty() || root_.back() != '/') {
      root_ += '/';
    }
    Record record;
    if (!enter("", record)) {
      throw Error(ExitCode::kIo,
                  "the folder " + printable(root_, 400) + " " + record.defect->message,
                  "check the path and its permissions");
    }
  }

  bool next(Record& record) override {
    while (!levels_.empty()) {
      Level& level = levels_.back();
      if (level.names.empty()) {
        if (level.complete) {
          levels_.pop_back();
        } else if (!read_names(level)) {
          return true_with_defect(record);
        }
        continue;
      }
      level.last = std::move(level.names.back().name);
      const bool plain = level.names.back().plain;
      level.names.pop_back();
      // `level` dangles once a level is added.
      const std::string relative = level.path + level.last;
      const bool hidden = is_hidden_name(level.last);
      if (plain && (hidden || !has_image_extension(relative))) {
        left_out_.add_file(relative);  // most of what is left out, without a look at it
      } else if (hidden) {
        pass_over_hidden(root_ + relative);
      } else if (look_at(relative, record)) {
        given_ = relative;
        return true;
      }
    }
    return false;
  }

  std::string cursor() const override { return escape_bytes(given_); }

  LeftOut left_out() const override { return left_out_; }

  bool seek(std::string_view cursor) override {
    const std::string path = unescape_bytes(cursor);
    Record ignored;
    if (levels_.empty() && !enter("", ignored)) {
      return false;
    }
    given_ = path;
    left_out_ = {};
    std::size_t start = 0;
    for (std::size_t depth = 0;; ++depth) {
      const std::size_t slash = path.find('/', start);
      stand_behind(levels_[depth], path.substr(start, slash - start));
      start = slash + 1;
      const bool within = slash != std::string::npos && start < path.size();
      const std::string folder = within ? path.substr(0, start) : "";
      if (within && depth + 1 < levels_.size() && levels_[depth + 1].path == folder) {
        continue;
      }
      levels_.resize(depth + 1);
      if (!within || !enter(path.substr(0, slash), ignored)) {
        return true;
      }
    }
  }

 private:
  struct Entry {
    std::string name;
    bool plain = false;  // certainly a regular file
    bool operator<(const Entry& other) const { return name < other.name; }
    bool operator>(const Entry& other) const { return name > other.name; }
  };
  struct Level {
    std::string path;  // relative, with a slash at its end; empty for the root
    dev_t device{};
    ino_t inode{};
    std::string last;          // names up to here are done
    std::vector<Entry> names;  // what comes next, the first at the end
    bool complete = false;     // nothing comes after these names
  };

  // Names that are held and come later are kept: a folder is not listed for each place in it.
  static void stand_behind(Level& level, const std::string& name) {
    if (name < level.last) {
      level.names.clear();
      level.complete = false;
    }
    while (!level.names.empty() && level.names.back().name <= name) {
      level.names.pop_back();
    }
    level.last = name;
  }

  Defect system_defect(const char* doing) {
    return {Reason::kUnreadable, std::string(doing) + ": " + std::strerror(errno)};
  }

  bool true_with_defect(Record& record) {
    record.id = levels_.back().path;
    record.payload = root_ + record.id;
    record.defect = system_defect("cannot be read");
    given_ = record.id;
    levels_.pop_back();
    return true;
  }

  // Goes into a folder. False with a defect in `record` where that fails, or without one where the
  // walk is in that folder already.
  bool enter(const std::string& relative, Record& record) {
    struct stat status {};
    const std::string path = root_ + relative;
    const Directory directory(::opendir(path.c_str()));
    if (!directory || ::fstat(::dirfd(directory.get()), &status) != 0) {
      record.id = relative + "/";
      record.payload = path;
      record.defect = system_defect("cannot be opened");
      return false;
    }
    for (const Level& around : levels_) {
      if (around.device == status.st_dev && around.inode == status.st_ino) {
        return false;
      }
    }
    Level level;
    level.path = relative.empty() ? "" : relative + "/";
    level.device = status.st_dev;
    level.inode = status.st_ino;
    levels_.push_back(std::move(level));
    return true;
  }

  // The next names of a folder after level.last, at most names_held_ of them.
  bool read_names(Level& level) {
    const Directory directory(::opendir((root_ + level.path).c_str()));
    if (!directory) {
      return false;
    }
    std::vector<Entry>& names = level.names;  // a heap, the greatest in front
    level.complete = true;
    for (errno = 0;; errno = 0) {
      const dirent* entry = ::readdir(directory.get());
      if (entry == nullptr) {
        break;
      }
      const std::string_view name = entry->d_name;
      if (name == "." || name == ".." || name <= level.last) {
        continue;
      }
      if (names.size() >= names_held_) {
        level.complete = false;
        if (name >= names.front().name) {
          continue;
        }
        std::pop_heap(names.begin(), names.end());
        names.pop_back();
      }
      names.push_back({std::string(name), entry->d_type == DT_REG});
      std::push_heap(names.begin(), names.end());
    }
    if (errno != 0) {
      return false;
    }
    std::sort(names.begin(), names.end(), std::greater<>());
    return true;
  }

  void pass_over_hidden(const std::string& path) {
    struct stat status {};
    const bool folder = ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
    left_out_.add(folder ? "hidden folders" : "hidden files");
  }

  // True when the entry makes a record.
  bool look_at(const std::string& relative, Record& record) {
    const std::string path = root_ + relative;
    const bool named_so = has_image_extension(relative);
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
      record.defect = system_defect("cannot be examined");
    } else if (S_ISDIR(status.st_mode)) {
      if (!enter(relative, record) && !record.defect) {
        left_out_.add("looping links");
      }
      return record.defect.has_value();
    } else if (!S_ISREG(status.st_mode)) {
      if (!named_so) {
        left_out_.add("special files");
        return false;
      }
      record.defect = Defect{Reason::kUnreadable, "is not a regular file"};
    } else {
#ifdef __APPLE__
      const timespec& modified = status.st_mtimespec;
#else
      const timespec& modified = status.st_mtim;
#endif
      record.stamp = {static_cast<std::uint64_t>(status.st_size), modified.tv_sec,
                      modified.tv_nsec};
    }
    if (!named_so) {
      record = {};
      left_out_.add_file(relative);
      return false;
    }
    record.id = relative;
    record.payload = path;
    return true;
  }

  std::string root_;  // with a slash at its end
  std::size_t names_held_;
  std::vector<Level> levels_;
  std::string given_;  // relative path of the record given last
  LeftOut left_out_;
};

}  // namespace

std::unique_ptr<ImageSource> open_image_folder(const std::string& path, std::size_t names_held) {
  return std::make_unique<ImageFolder>(path, names_held);
}

}  // namespace longhaul::input
