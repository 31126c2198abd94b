// A file, or a folder of files, that comes into being whole: written beside its name, as
// NAME.longhaul-export, under a lock, and given its name when it is complete. A kill leaves
// NAME.longhaul-export, which the next start takes over. Names of our own, so that what others put
// there stays: NAME.partial is a downloader's. One thread. Errors: kUsage where the name is taken,
// kUnavailable while another process writes there, kIo.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/files.hpp"

namespace longhaul::export_room {

class NewPath {
 public:
  // `ending` is that of the files in a folder, `holder` what another process is told. A folder is
  // made.
  NewPath(Files& files, std::string path, PathKind kind, std::string ending,
          const std::string& holder);
  // Removes what was not published.
  ~NewPath();
  NewPath(const NewPath&) = delete;
  NewPath& operator=(const NewPath&) = delete;

  // The place to write: the file, or the file of that number in the folder.
  std::string file() const { return partial_; }
  std::string part(std::uint64_t number) const;
  // What was written is on the disk: it gets its name.
  void publish();

 private:
  void require_free() const;
  void remove_partial();
  bool is_part(std::string_view name) const;

  Files& files_;
  std::string path_;
  std::string partial_;
  PathKind kind_;
  std::string ending_;
  std::unique_ptr<FileLock> lock_;
  bool published_ = false;
};

}  // namespace longhaul::export_room
