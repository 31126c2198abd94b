// The members of an uncompressed tar archive (ustar, pax, GNU and older), one after another, by
// their headers alone. An end mark ends nothing: what follows it is read too, as `tar -i` does, so
// that archives written one behind the other give all their members.
// Owns the open file. One thread at a time. Error(kIo) for what cannot be opened or read,
// Error(kBadData) for what is no archive.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "domain/outcome.hpp"

namespace longhaul::input {

struct TarMember {
  enum class Kind { kFile, kHardLink, kSparse, kFolder, kLabel, kOther };
  std::string name;
  std::string target;  // of a hard link: the name of an earlier member
  Kind kind = Kind::kFile;
  std::uint64_t header = 0;  // where it begins, with all the headers it may have
  std::uint64_t offset = 0;  // of its bytes
  std::uint64_t size = 0;    // of its bytes
  std::uint64_t next = 0;    // where the next member begins
  std::uint64_t modified = 0;
  bool cut = false;  // the archive ends before the last of its bytes
};

class TarArchive {
 public:
  explicit TarArchive(const std::string& path);
  ~TarArchive();
  TarArchive(const TarArchive&) = delete;
  TarArchive& operator=(const TarArchive&) = delete;

  // The member that begins at or behind `at`. Nothing at the end of the file, or with a defect
  // where there is something that is no member.
  struct Found {
    std::optional<TarMember> member;
    std::optional<Defect> defect;
    std::uint64_t at = 0;  // of the defect
  };
  Found find(std::uint64_t at) const;

  std::uint64_t size() const { return size_; }

 private:
  static constexpr std::uint64_t kBlock = 512;
  using Block = std::array<unsigned char, kBlock>;
  struct Extensions;

  std::size_t read(std::uint64_t at, std::span<unsigned char> into) const;
  std::uint64_t skip_zeros(std::uint64_t at) const;
  Found find_header(std::uint64_t at, bool after_end) const;
  bool extend(const Block& block, std::uint64_t data, std::uint64_t size,
              Extensions& extensions) const;
  std::uint64_t sparse_data(const Block& block, std::uint64_t data) const;
  void close();

  std::string path_;
  int file_;
  std::uint64_t size_ = 0;
};

}  // namespace longhaul::input
