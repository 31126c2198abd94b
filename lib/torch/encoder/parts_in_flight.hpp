// The order in which parts go to a device that works while the host goes on: one is launched while
// the one before it is computed, so that the device waits neither for inputs nor for the next
// launch. Knows no LibTorch. The encoding thread.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "encode/batch.hpp"

namespace longhaul::torch_room {

constexpr std::uint32_t kPartsInFlight = 2;

// One result for each part, in their order. A Device has
//   InFlight                  what a part holds from submit() to collect(); made empty
//   submit(part, InFlight&)   launches the part; returns before it is computed
//   collect(InFlight&)        waits for it; its EncodedBatch
//   settle() noexcept         waits for all that was launched, whether or not it came out well
// At most kPartsInFlight are in flight. Throws what submit() or collect() throws, once the device
// has settled and all that was in flight is dropped: the memory is free, the results are nobody's.
template <typename Device>
std::vector<encode::EncodedBatch> encode_in_flight(std::span<const encode::HostBatch> parts,
                                                   Device& device) {
  std::vector<encode::EncodedBatch> encoded;
  encoded.reserve(parts.size());
  std::deque<typename Device::InFlight> in_flight;  // oldest first
  const auto collect_oldest = [&] {
    encoded.push_back(device.collect(in_flight.front()));
    in_flight.pop_front();
  };
  try {
    for (const encode::HostBatch& part : parts) {
      if (in_flight.size() == kPartsInFlight) {
        collect_oldest();
      }
      // In its place before it is launched: should that fail halfway, what the device may be
      // reading outlives settle().
      device.submit(part, in_flight.emplace_back());
    }
    while (!in_flight.empty()) {
      collect_oldest();
    }
  } catch (...) {
    device.settle();
    in_flight.clear();
    throw;
  }
  return encoded;
}

}  // namespace longhaul::torch_room
