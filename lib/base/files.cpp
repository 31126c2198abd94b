#include "base/files.hpp"

#include "base/write_aside.hpp"

namespace longhaul {

std::string read_text(Files& files, const std::string& path) {
  const std::unique_ptr<File> file = files.open(path, OpenMode::kRead);
  std::string text;
  constexpr std::size_t kChunk = std::size_t{64} * 1024;
  for (;;) {
    const std::size_t at = text.size();
    text.resize(at + kChunk);
    const std::size_t got =
        file->read_at(at, std::as_writable_bytes(std::span(text.data() + at, kChunk)));
    text.resize(at + got);
    if (got < kChunk) {
      return text;
    }
  }
}

void write_atomically(Files& files, const std::string& path, std::string_view text) {
  write_aside(files, path, path + ".tmp", text);
}

void write_aside(Files& files, const std::string& path, const std::string& aside,
                 std::string_view text) {
  {
    const std::unique_ptr<File> file = files.open(aside, OpenMode::kCreate);
    file->truncate(0);
    file->write_at(0, bytes_of(text));
    file->sync();
  }
  files.rename(aside, path);
  files.sync_directory(parent_directory(path));
}

std::string parent_directory(const std::string& path) {
  const std::size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) {
    return path.empty() ? "." : "/";
  }
  const std::size_t slash = path.rfind('/', end);
  if (slash == std::string::npos) {
    return ".";
  }
  const std::size_t last = path.find_last_not_of('/', slash);
  return last == std::string::npos ? "/" : path.substr(0, last + 1);
}

}  // namespace longhaul
