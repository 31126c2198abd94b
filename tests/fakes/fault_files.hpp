// A file system in memory that fails, or loses power, at a chosen operation. Every call that
// changes something counts as one operation: write, truncate, sync, create, rename, remove, make or
// sync a directory. One thread.
//
// What was written is seen at once, and lasts through a power cut only when it was synced: a file's
// bytes by File::sync, a name by sync_directory. A failed sync behaves as Linux does: what it
// should have written counts as clean from then on, so a second sync succeeds and writes nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/files.hpp"

namespace longhaul::fakes {

// Thrown by the operation at which power is lost, and by every one after it.
struct PowerLost {};

enum class Fault {
  kNone,
  kErrorOnce,     // EIO at operation n
  kErrorAlways,   // EIO from operation n on
  kDiskFull,      // from operation n on, writes store half of their bytes and fail
  kPowerLoss,     // before operation n takes effect
  kPowerLossMid,  // a write at operation n has stored half of its bytes
};

// Does the work: true when it reached its end before a fault could stop it.
template <typename Work>
bool survives(const Work& work) {
  try {
    work();
    return true;
  } catch (const PowerLost&) {
    return false;
  } catch (const Error& error) {
    if (error.code() != ExitCode::kIo) {
      throw;
    }
    return false;
  }
}

// What of the unsynced work is still there after the power comes back.
enum class Survival {
  kNothing,     // only what was synced
  kEverything,  // as after a kill
  kNamesOnly,   // names and sizes, but the bytes are zero
  kDataOnly,    // bytes of files whose names were synced; no name that was not
  kRandom,      // each write, in sectors, and each name by a coin
};

class FaultFiles : public Files {
 public:
  void arm(Fault fault, std::uint64_t at) {
    fault_ = fault;
    at_ = at;
    operations_ = 0;
    fired_ = 0;
  }
  std::uint64_t operations() const { return operations_; }
  std::uint64_t fired() const { return fired_; }
  const std::vector<std::string>& trace() const { return trace_; }

  // The process ended; what it wrote is still in the system's memory. Disarms.
  void end_process();
  // The power comes back. Disarms.
  void restart(Survival survival, unsigned seed);

  std::string content(const std::string& path) const;
  void set_content(const std::string& path, const std::string& bytes);  // durable at once

  std::unique_ptr<File> open(const std::string& path, OpenMode mode) override;
  PathKind kind(const std::string& path) override;
  void make_directory(const std::string& path) override;
  void remove_directory(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  bool publish(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void sync_directory(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override;
  std::optional<std::uint64_t> free_bytes(const std::string&) override { return 0; }
  std::unique_ptr<FileLock> lock(const std::string& path, std::string_view holder,
                                 std::optional<int> adopt) override;
  bool locked(const std::string& path) override { return held_.contains(path); }

 private:
  struct Change {
    bool cut = false;  // a truncate to `offset`
    std::uint64_t offset = 0;
    std::string bytes;
  };
  struct Inode {
    std::string now;
    std::string durable;
    std::vector<Change> unsynced;
  };
  // Shared by the tables of names and the open files, as the system's inodes are.
  using Names = std::map<std::string, std::shared_ptr<Inode>>;
  class MemoryFile;

  // Counts an operation; throws when it is to fail. True: a write is to store half and fail then.
  bool operation(const std::string& what, bool is_write = false);
  [[noreturn]] void fail(const std::string& what) const;
  void rename_directory(const std::string& from, const std::string& to);
  static void apply(std::string& content, const Change& change);

  Fault fault_ = Fault::kNone;
  std::uint64_t at_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t fired_ = 0;
  bool dark_ = false;  // the power is off
  std::vector<std::string> trace_;
  Names names_;
  Names durable_names_;
  // Changes of names since they were synced, in order; a null inode: the name is gone.
  std::vector<Names> unsynced_names_;
  std::set<std::string> directories_;
  std::set<std::string> held_;
};

}  // namespace longhaul::fakes
