// What a part of an input held, in 32 bytes, so that a commit can carry it: the value of an
// input::InputDigest, which says of what it is made. A value; any thread.
#pragma once

#include <cstdint>

#include "base/hash.hpp"

namespace longhaul {

// kSum: parts of an input add up to the whole. kChain: of journals of version 1, each record hashed
// with all before it, times of images included; for reading finished outputs only.
enum class DigestForm : std::uint8_t { kChain, kSum };

struct InputHash {
  Hash128 content = {};  // never a path or a time
  Hash128 times = {};    // of image files; zero for other inputs
  DigestForm form = DigestForm::kSum;
  friend bool operator==(const InputHash&, const InputHash&) = default;
};

}  // namespace longhaul
