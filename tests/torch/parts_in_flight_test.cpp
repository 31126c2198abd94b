#include "torch/encoder/parts_in_flight.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"

using namespace longhaul;
using namespace longhaul::torch_room;

namespace {

std::vector<encode::HostBatch> numbered_parts(std::uint32_t count) {
  std::vector<encode::HostBatch> parts(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    parts[i].rows = parts[i].used_rows = 1;
    parts[i].width = i;  // its number
  }
  return parts;
}

// Writes down what happens, and fails where it is told to.
class RecordingDevice {
 public:
  class InFlight {
   public:
    InFlight() = default;
    ~InFlight() {
      if (device_ != nullptr) {
        device_->dropped(number_);
      }
    }
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;

   private:
    friend RecordingDevice;
    RecordingDevice* device_ = nullptr;
    std::uint32_t number_ = 0;
  };

  void submit(const encode::HostBatch& part, InFlight& in_flight) {
    in_flight.device_ = this;
    in_flight.number_ = part.width;
    most_ = std::max(most_, ++held_);
    happened("submit " + std::to_string(part.width));
  }
  encode::EncodedBatch collect(InFlight& in_flight) {
    happened("collect " + std::to_string(in_flight.number_));
    return {{{.rows = 1, .dimension = 1, .values = {static_cast<float>(in_flight.number_)}}}};
  }
  void settle() noexcept { log_.emplace_back("settle"); }

  void fail_at(std::string place, std::function<void()> fail) {
    place_ = std::move(place);
    fail_ = std::move(fail);
  }
  std::vector<std::string> take_log() { return std::exchange(log_, {}); }
  std::uint32_t held() const { return held_; }
  std::uint32_t most() const { return most_; }
  std::uint32_t failures() const { return failures_; }

 private:
  void happened(const std::string& what) {
    log_.push_back(what);
    if (what == place_) {
      ++failures_;
      place_.clear();
      fail_();
    }
  }
  void dropped(std::uint32_t number) {
    --held_;
    log_.push_back("drop " + std::to_string(number));
  }

  std::vector<std::string> log_;
  std::string place_;
  std::function<void()> fail_;
  std::uint32_t held_ = 0;
  std::uint32_t most_ = 0;
  std::uint32_t failures_ = 0;
};

std::vector<float> numbers_of(const std::vector<encode::EncodedBatch>& encoded) {
  std::vector<float> numbers;
  for (const encode::EncodedBatch& part : encoded) {
    numbers.push_back(part.blocks.at(0).values.at(0));
  }
  return numbers;
}

}  // namespace

TEST_CASE("a part is launched before the one in front of it is waited for, never a third") {
  RecordingDevice device;
  const auto encoded = encode_in_flight<RecordingDevice>(numbered_parts(4), device);
  CHECK(numbers_of(encoded) == std::vector<float>{0, 1, 2, 3});
  CHECK(device.take_log() == std::vector<std::string>{"submit 0", "submit 1",             //
                                                      "collect 0", "drop 0", "submit 2",  //
                                                      "collect 1", "drop 1", "submit 3",  //
                                                      "collect 2", "drop 2",              //
                                                      "collect 3", "drop 3"});
  CHECK(device.most() == kPartsInFlight);
}

TEST_CASE("none, one and many parts come back in their order") {
  for (const std::uint32_t count : {0U, 1U, 2U, 3U, 25U}) {
    INFO(count);
    RecordingDevice device;
    const std::vector<float> numbers =
        numbers_of(encode_in_flight<RecordingDevice>(numbered_parts(count), device));
    REQUIRE(numbers.size() == count);
    for (std::uint32_t i = 0; i < count; ++i) {
      CHECK(numbers[i] == static_cast<float>(i));
    }
    CHECK(device.most() == std::min(count, kPartsInFlight));
    CHECK(device.held() == 0);
    const std::vector<std::string> log = device.take_log();
    CHECK(std::count(log.begin(), log.end(), "settle") == 0);
  }
}

TEST_CASE("whatever fails, the device settles before anything is dropped, and the error is kept") {
  constexpr std::uint32_t kParts = 5;
  const std::string step = GENERATE("submit ", "collect ");
  const std::uint32_t number = GENERATE(0U, 1U, 2U, 3U, 4U);
  const std::string place = step + std::to_string(number);
  const int kind = GENERATE(0, 1, 2);
  INFO(place << ", kind " << kind);
  RecordingDevice device;
  device.fail_at(place, [&] {
    switch (kind) {
      case 0:
        throw DeviceOutOfMemory("full");
      case 1:
        throw Error(ExitCode::kUnavailable, "broken", "go on");
      default:
        throw std::runtime_error("other");
    }
  });
  const auto parts = numbered_parts(kParts);
  const auto encode = [&] { return encode_in_flight<RecordingDevice>(parts, device); };
  if (kind == 0) {
    CHECK_THROWS_AS(encode(), DeviceOutOfMemory);
  } else if (kind == 1) {
    CHECK_THROWS_AS(encode(), Error);
  } else {
    CHECK_THROWS_WITH(encode(), "other");
  }
  CHECK(device.failures() == 1);
  CHECK(device.held() == 0);
  const std::vector<std::string> log = device.take_log();
  const auto failed = std::find(log.begin(), log.end(), place);
  REQUIRE(failed != log.end());
  // What was collected is gone; the failed part and what was launched beside it are left.
  REQUIRE(failed + 1 != log.end());
  CHECK(*(failed + 1) == "settle");
  CHECK(std::all_of(failed + 2, log.end(),
                    [](const std::string& what) { return what.starts_with("drop "); }));
  CHECK(std::count(log.begin(), log.end(), "settle") == 1);
  const auto in_flight = static_cast<std::uint32_t>(log.end() - (failed + 2));
  CHECK(in_flight == (place == "submit 0" || place == "collect 4" ? 1 : 2));
  // The device is used again, as by a caller who goes on with fewer parts.
  CHECK(numbers_of(encode()) == std::vector<float>{0, 1, 2, 3, 4});
  CHECK(device.held() == 0);
}
