#include "base/files.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "base/error.hpp"

using namespace longhaul;

namespace {

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "longhaul-XXXXXX").string();
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string operator/(const std::string& name) const { return path + "/" + name; }
  std::string path;
};

std::string failure(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(error.code() == ExitCode::kIo);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("what is written at a position is read there, and holes are zero") {
  const Folder folder;
  const auto files = posix_files();
  const auto file = files->open(folder / "a", OpenMode::kCreate);
  file->write_at(3, bytes_of("xyz"));
  file->start_writeback(0, 6);
  file->sync();
  CHECK(file->size() == 6);
  CHECK(read_text(*files, folder / "a") == std::string("\0\0\0xyz", 6));
  file->truncate(4);
  CHECK(read_text(*files, folder / "a") == std::string("\0\0\0x", 4));
}

TEST_CASE("an atomic write replaces the file and leaves no temporary") {
  const Folder folder;
  const auto files = posix_files();
  write_atomically(*files, folder / "a", "first and longer");
  write_atomically(*files, folder / "a", "second");
  CHECK(read_text(*files, folder / "a") == "second");
  CHECK(files->list(folder.path) == std::vector<std::string>{"a"});
}

TEST_CASE("directories are made with parents, and a file in the way is named") {
  const Folder folder;
  const auto files = posix_files();
  files->make_directory(folder / "x/y//z/");
  files->make_directory(folder / "x");
  CHECK(files->kind(folder / "x/y/z") == PathKind::kDirectory);
  files->open(folder / "f", OpenMode::kCreate);
  CHECK(failure([&] {
          files->make_directory(folder / "f");
        }).find("/f is a file, not a directory") != std::string::npos);
  CHECK(failure([&] { files->make_directory(folder / "f/g"); }).find("Not a directory") !=
        std::string::npos);
  CHECK(parent_directory("a") == ".");
  CHECK(parent_directory("/a/") == "/");
  CHECK(parent_directory("a//b/") == "a");
}

TEST_CASE("a full disk is told with needed and free bytes") {
  const auto files = posix_files();
  const auto full = files->open("/dev/full", OpenMode::kReadWrite);
  const std::string message = failure([&] { full->write_at(0, bytes_of("12345")); });
  CHECK(message.find("/dev/full") != std::string::npos);
  CHECK(message.find("No space left on device: 5 bytes needed, ") != std::string::npos);
  CHECK(message.find(" bytes free") != std::string::npos);
}

TEST_CASE("a lock excludes others, names its holder and dies with it") {
  const Folder folder;
  const auto files = posix_files();
  int ready[2];
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto lock = files->lock(folder / "lock", "the child", {});
    const bool wrote = lock && write(ready[1], "x", 1) == 1;
    pause();
    _exit(wrote ? 0 : 1);
  }
  char byte = 0;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  CHECK(files->locked(folder / "lock"));
  CHECK(files->lock(folder / "lock", "the parent", {}) == nullptr);
  CHECK(read_text(*files, folder / "lock") == "the child");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  CHECK_FALSE(files->locked(folder / "lock"));
  auto lock = files->lock(folder / "lock", "me", {});
  REQUIRE(lock);
  CHECK(read_text(*files, folder / "lock") == "me");
  lock.reset();
  CHECK(files->kind(folder / "lock") == PathKind::kAbsent);
}

TEST_CASE("a lock kept across exec is adopted by its descriptor") {
  const Folder folder;
  const auto files = posix_files();
  auto lock = files->lock(folder / "lock", "before", {});
  const int number = lock->keep_across_exec();
  CHECK((fcntl(number, F_GETFD) & FD_CLOEXEC) == 0);
  const int inherited = dup(number);  // as an exec leaves it
  lock.reset();
  CHECK(files->lock(folder / "lock", "stranger", {}) == nullptr);
  const auto adopted = files->lock(folder / "lock", "after", inherited);
  REQUIRE(adopted);
  CHECK(read_text(*files, folder / "lock") == "after");
  CHECK((fcntl(inherited, F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("two directories exchange their names, or stay as they are") {
  const Folder folder;
  const auto files = posix_files();
  for (const char* name : {"a", "b"}) {
    files->make_directory(folder / name);
    write_atomically(*files, folder / (std::string(name) + "/text"), name);
  }
  const bool exchanged = files->exchange(folder / "a", folder / "b");
  CHECK(read_text(*files, folder / "a/text") == (exchanged ? "b" : "a"));
  CHECK(read_text(*files, folder / "b/text") == (exchanged ? "a" : "b"));
  CHECK_FALSE(failure([&] { files->exchange(folder / "a", folder / "c"); }).empty() == exchanged);
}

TEST_CASE("a directory where a file system begins is told from others") {
  const Folder folder;
  const auto files = posix_files();
  CHECK_FALSE(files->is_mount_point(folder.path));
  if (std::filesystem::is_directory("/proc/self")) {
    CHECK(files->is_mount_point("/proc"));
  }
}
