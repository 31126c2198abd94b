#include "base/hash.hpp"

#include <openssl/evp.h>
#include <xxhash.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <vector>

#include "base/error.hpp"
#include "base/sha256_file.hpp"

namespace longhaul {
namespace {

using DigestContext = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

DigestContext sha256_start() {
  DigestContext context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    throw Error(ExitCode::kInternal, "OpenSSL offers no SHA-256");
  }
  return context;
}

std::string sha256_end(EVP_MD_CTX* context) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context, digest.data(), &size);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += kDigits[digest[i] >> 4];
    hex += kDigits[digest[i] & 15];
  }
  return hex;
}

}  // namespace

std::uint64_t hash64(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t hash64(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

struct RunningHash64::State {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> xxh3{XXH3_createState(),
                                                                &XXH3_freeState};
};

RunningHash64::RunningHash64() : state_(std::make_unique<State>()) {
  if (!state_->xxh3) {
    throw std::bad_alloc();
  }
  reset();
}

RunningHash64::~RunningHash64() = default;

void RunningHash64::add(std::string_view bytes) {
  XXH3_64bits_update(state_->xxh3.get(), bytes.data(), bytes.size());
}

std::uint64_t RunningHash64::value() const {
  return XXH3_64bits_digest(state_->xxh3.get());
}

void RunningHash64::reset() {
  XXH3_64bits_reset(state_->xxh3.get());
}

Hash128 hash128(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

std::string to_hex(std::uint64_t hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex(16, '0');
  for (int i = 15; i >= 0; --i, hash >>= 4) {
    hex[static_cast<std::size_t>(i)] = kDigits[hash & 15];
  }
  return hex;
}

std::string to_hex(const Hash128& hash) {
  return to_hex(hash.high) + to_hex(hash.low);
}

std::optional<Hash128> hash128_from_hex(std::string_view hex) {
  if (hex.size() != 32) {
    return std::nullopt;
  }
  Hash128 hash;
  const char* middle = hex.data() + 16;
  const auto high = std::from_chars(hex.data(), middle, hash.high, 16);
  const auto low = std::from_chars(middle, hex.data() + 32, hash.low, 16);
  if (high.ec != std::errc{} || low.ec != std::errc{} || high.ptr != middle ||
      low.ptr != hex.data() + 32) {
    return std::nullopt;
  }
  return hash;
}

std::optional<std::string> sha256_file(const std::filesystem::path& path,
                                       const std::function<bool()>& stop) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Error(ExitCode::kIo, "cannot open " + path.string() + ": " + std::strerror(errno));
  }
  const DigestContext context = sha256_start();
  std::vector<char> buffer(1 << 20);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size())), file.gcount() > 0) {
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(file.gcount()));
    if (stop()) {
      return std::nullopt;
    }
  }
  if (file.bad()) {
    throw Error(ExitCode::kIo, "cannot read " + path.string());
  }
  return sha256_end(context.get());
}

std::string sha256_file(const std::filesystem::path& path) {
  return sha256_file(path, [] { return false; }).value();
}

std::string sha256(std::string_view bytes) {
  const DigestContext context = sha256_start();
  EVP_DigestUpdate(context.get(), bytes.data(), bytes.size());
  return sha256_end(context.get());
}

}  // namespace longhaul
