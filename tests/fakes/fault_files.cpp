#include "fakes/fault_files.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace longhaul::fakes {

class FaultFiles::MemoryFile : public File {
 public:
  MemoryFile(FaultFiles& files, std::shared_ptr<Inode> inode, std::string path)
      : files_(files), inode_(std::move(inode)), path_(std::move(path)) {}

  void write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    const bool half = files_.operation("write " + path_, true);
    const std::size_t size = half ? bytes.size() / 2 : bytes.size();
    change({false, offset, std::string(reinterpret_cast<const char*>(bytes.data()), size)});
    if (half) {
      if (files_.dark_) {
        throw PowerLost{};
      }
      files_.fail("write " + path_ + ": No space left on device");
    }
  }

  std::size_t read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
    const std::string& now = inode_->now;
    const std::size_t size =
        offset >= now.size() ? 0 : std::min<std::size_t>(bytes.size(), now.size() - offset);
    std::ranges::copy(std::as_bytes(std::span(now).subspan(size > 0 ? offset : 0, size)),
                      bytes.begin());
    return size;
  }

  std::uint64_t size() override { return inode_->now.size(); }

  void truncate(std::uint64_t size) override {
    files_.operation("truncate " + path_);
    change({true, size, ""});
  }

  void sync() override {
    try {
      files_.operation("sync " + path_);
    } catch (const Error&) {
      inode_->unsynced.clear();  // seen by readers, never on the disk
      throw;
    }
    for (const Change& done : inode_->unsynced) {
      apply(inode_->durable, done);
    }
    inode_->unsynced.clear();
  }

 private:
  void change(Change made) {
    apply(inode_->now, made);
    inode_->unsynced.push_back(std::move(made));
  }

  FaultFiles& files_;
  std::shared_ptr<Inode> inode_;
  std::string path_;
};

void FaultFiles::apply(std::string& content, const Change& change) {
  if (change.cut) {
    content.resize(change.offset);
    return;
  }
  content.resize(std::max<std::size_t>(content.size(), change.offset + change.bytes.size()));
  content.replace(change.offset, change.bytes.size(), change.bytes);
}

void FaultFiles::fail(const std::string& what) const {
  throw Error(ExitCode::kIo, "cannot " + what);
}

bool FaultFiles::operation(const std::string& what, bool is_write) {
  if (dark_) {
    throw PowerLost{};
  }
  const std::uint64_t number = operations_++;
  trace_.push_back(what);
  const bool now = number == at_;
  switch (fault_) {
    case Fault::kNone:
      return false;
    case Fault::kErrorOnce:
    case Fault::kErrorAlways:
      if (now || (fault_ == Fault::kErrorAlways && number > at_)) {
        ++fired_;
        fail(what + ": Input/output error");
      }
      return false;
    case Fault::kDiskFull:
      if (number >= at_ && is_write) {
        ++fired_;
        return true;
      }
      return false;
    case Fault::kPowerLoss:
    case Fault::kPowerLossMid:
      if (now) {
        ++fired_;
        dark_ = true;
        if (fault_ == Fault::kPowerLossMid && is_write) {
          return true;
        }
        throw PowerLost{};
      }
      return false;
  }
  return false;
}

void FaultFiles::end_process() {
  fault_ = Fault::kNone;
  held_.clear();
}

void FaultFiles::restart(Survival survival, unsigned seed) {
  std::mt19937 random(seed);
  const auto coin = [&] { return random() % 2 == 0; };
  Names names = durable_names_;
  for (const Names& change : unsynced_names_) {
    // A journaling file system keeps the order of names: after the first lost change, none.
    const bool kept = survival == Survival::kEverything || survival == Survival::kNamesOnly ||
                      (survival == Survival::kRandom && coin());
    if (!kept) {
      break;
    }
    for (const auto& [path, inode] : change) {
      if (inode) {
        names[path] = inode;
      } else {
        names.erase(path);
      }
    }
  }
  constexpr std::size_t kSector = 512;
  for (const auto& [path, inode] : names) {
    for (const Change& change : inode->unsynced) {
      if (survival == Survival::kEverything || survival == Survival::kDataOnly) {
        apply(inode->durable, change);
      } else if (survival == Survival::kNamesOnly) {
        const bool grows =
            !change.cut && change.offset + change.bytes.size() > inode->durable.size();
        if (change.cut || grows) {
          inode->durable.resize(change.offset + change.bytes.size());
        }
      } else if (survival == Survival::kRandom && change.cut) {
        if (coin()) {
          apply(inode->durable, change);
        }
      } else if (survival == Survival::kRandom) {
        for (std::size_t at = 0; at < change.bytes.size(); at += kSector) {
          if (coin()) {
            apply(inode->durable, {false, change.offset + at, change.bytes.substr(at, kSector)});
          }
        }
      }
    }
  }
  for (const auto& [path, inode] : names) {
    inode->unsynced.clear();
    inode->now = inode->durable;
  }
  names_ = names;
  durable_names_ = names;
  unsynced_names_.clear();
  dark_ = false;
  end_process();
}

std::string FaultFiles::content(const std::string& path) const {
  return names_.at(path)->now;
}

void FaultFiles::set_content(const std::string& path, const std::string& bytes) {
  auto inode = std::make_shared<Inode>();
  inode->now = inode->durable = bytes;
  names_[path] = durable_names_[path] = inode;
}

std::unique_ptr<File> FaultFiles::open(const std::string& path, OpenMode mode) {
  if (dark_) {
    throw PowerLost{};
  }
  auto found = names_.find(path);
  if (found == names_.end()) {
    if (mode != OpenMode::kCreate || !directories_.contains(parent_directory(path))) {
      fail("open " + path + ": No such file or directory");
    }
    operation("create " + path);
    found = names_.emplace(path, std::make_shared<Inode>()).first;
    unsynced_names_.push_back({{path, found->second}});
  }
  return std::make_unique<MemoryFile>(*this, found->second, path);
}

PathKind FaultFiles::kind(const std::string& path) {
  if (directories_.contains(path)) {
    return PathKind::kDirectory;
  }
  return names_.contains(path) ? PathKind::kFile : PathKind::kAbsent;
}

void FaultFiles::make_directory(const std::string& path) {
  operation("make " + path);  // durable at once, as PosixFiles syncs the parent
  directories_.insert(path);
}

void FaultFiles::remove_directory(const std::string& path) {
  if (!list(path).empty()) {
    fail("remove the directory " + path + ": Directory not empty");
  }
  operation("remove " + path);
  directories_.erase(path);
}

// With all that is in it; durable at once, as a directory that is made.
void FaultFiles::rename_directory(const std::string& from, const std::string& to) {
  const auto moved = [&](Names& names) {
    Names all;
    for (auto& [name, inode] : names) {
      all.emplace(name.starts_with(from + "/") ? to + name.substr(from.size()) : name, inode);
    }
    names = std::move(all);
  };
  moved(names_);
  moved(durable_names_);
  for (Names& change : unsynced_names_) {
    moved(change);
  }
  directories_.erase(from);
  directories_.insert(to);
}

void FaultFiles::rename(const std::string& from, const std::string& to) {
  operation("rename " + from + " to " + to);
  if (directories_.contains(from)) {
    rename_directory(from, to);
    return;
  }
  const auto found = names_.find(from);
  if (found == names_.end()) {
    fail("rename " + from + ": No such file or directory");
  }
  const std::shared_ptr<Inode> inode = found->second;
  names_.erase(found);
  names_[to] = inode;
  unsynced_names_.push_back({{from, nullptr}, {to, inode}});
}

bool FaultFiles::publish(const std::string& from, const std::string& to) {
  if (names_.contains(to)) {
    remove(from);
    return false;
  }
  rename(from, to);
  return true;
}

void FaultFiles::remove(const std::string& path) {
  if (names_.contains(path)) {
    operation("remove " + path);
    names_.erase(path);
    unsynced_names_.push_back({{path, nullptr}});
  }
}

void FaultFiles::sync_directory(const std::string& path) {
  operation("sync directory " + path);
  durable_names_ = names_;
  unsynced_names_.clear();
}

std::vector<std::string> FaultFiles::list(const std::string& path) {
  std::vector<std::string> names;
  const std::string prefix = path + "/";
  for (const auto& [name, inode] : names_) {
    if (name.starts_with(prefix) && name.find('/', prefix.size()) == std::string::npos) {
      names.push_back(name.substr(prefix.size()));
    }
  }
  return names;
}

namespace {

class MemoryLock : public FileLock {
 public:
  MemoryLock(std::set<std::string>& held, std::string path) : held_(held), path_(std::move(path)) {}
  ~MemoryLock() override { held_.erase(path_); }
  int keep_across_exec() override { return -1; }

 private:
  std::set<std::string>& held_;
  std::string path_;
};

}  // namespace

std::unique_ptr<FileLock> FaultFiles::lock(const std::string& path, std::string_view,
                                           std::optional<int>) {
  if (dark_) {
    throw PowerLost{};
  }
  return held_.insert(path).second ? std::make_unique<MemoryLock>(held_, path) : nullptr;
}

}  // namespace longhaul::fakes
