// Hashes: XXH3 for records, rows and journal lines; SHA-256 for model files.
// Values only; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace longhaul {

struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

// XXH3, 64 and 128 bits (https://github.com/Cyan4973/xxHash, canonical big-endian text form).
std::uint64_t hash64(std::span<const std::byte> bytes);
std::uint64_t hash64(std::string_view bytes);
Hash128 hash128(std::string_view bytes);

// hash64 of bytes that arrive in pieces.
class RunningHash64 {
 public:
  RunningHash64();
  ~RunningHash64();
  RunningHash64(const RunningHash64&) = delete;
  RunningHash64& operator=(const RunningHash64&) = delete;
  void add(std::string_view bytes);
  std::uint64_t value() const;
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string to_hex(std::uint64_t hash);   // 16 lower-case digits
std::string to_hex(const Hash128& hash);  // 32 lower-case digits
std::optional<Hash128> hash128_from_hex(std::string_view hex);

// SHA-256 of a whole file, lower-case hex. Throws Error(kIo) when it cannot be read.
std::string sha256_file(const std::filesystem::path& path);
std::string sha256(std::string_view bytes);

}  // namespace longhaul
