// A file, or a folder of files, that comes into being whole: written beside its name, as
// NAME.partial, under a lock, and given its name when it is complete. A kill leaves NAME.partial,
// which the next start takes over. One thread. Errors: kUsage where the name is taken, kUnavailable
// while another process writes there, kIo.
#pragma once

#include <memory>
#include <string>

#include "base/files.hpp"

namespace longhaul::export_room {

class NewPath {
 public:
  // `holder` is what another process is told. A folder is made.
  NewPath(Files& files, std::string path, PathKind kind, const std::string& holder);
  // Removes what was not published.
  ~NewPath();
  NewPath(const NewPath&) = delete;
  NewPath& operator=(const NewPath&) = delete;

  // The place to write: the file, or a file of that name in the folder.
  std::string file() const { return partial_; }
  std::string file(const std::string& name) const { return partial_ + "/" + name; }
  // What was written is on the disk: it gets its name.
  void publish();

 private:
  void require_free() const;
  void remove_partial();

  Files& files_;
  std::string path_;
  std::string partial_;
  PathKind kind_;
  std::unique_ptr<FileLock> lock_;
  bool published_ = false;
};

}  // namespace longhaul::export_room
