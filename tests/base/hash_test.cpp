#include "base/hash.hpp"

#include <catch2/catch.hpp>

using namespace longhaul;

// Expected values: `printf abc | xxh128sum`, `xxhsum -H3` and `sha256sum`.
TEST_CASE("hashes agree with the public tools") {
  CHECK(to_hex(hash128("abc")) == "06b05ab6733a618578af5f94892f3950");
  CHECK(to_hex(hash64("abc")) == "78af5f94892f3950");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("128-bit hashes survive their text form") {
  const Hash128 hash = hash128("EVQLVESGGG");
  CHECK(hash128_from_hex(to_hex(hash)) == hash);
  CHECK_FALSE(hash128_from_hex("xyz"));
  CHECK_FALSE(hash128_from_hex(std::string(32, 'g')));
}
