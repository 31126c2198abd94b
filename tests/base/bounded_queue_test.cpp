#include "base/bounded_queue.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <thread>

using namespace longhaul;

TEST_CASE("a queue keeps order and bounds what waits") {
  BoundedQueue<std::unique_ptr<int>> queue(2);
  std::atomic<int> pushed{0};
  std::thread producer([&] {
    for (int i = 0; i < 100; ++i) {
      queue.push(std::make_unique<int>(i));
      ++pushed;
    }
    queue.close();
  });
  int expected = 0;
  while (auto item = queue.pop()) {
    CHECK(**item == expected);
    ++expected;
    CHECK(pushed.load() <= expected + 3);
  }
  producer.join();
  CHECK(expected == 100);
}

TEST_CASE("abandoning a queue frees a waiting producer") {
  BoundedQueue<int> queue(1);
  REQUIRE(queue.push(1));
  std::atomic<bool> accepted{true};
  std::thread producer([&] { accepted = queue.push(2); });
  queue.abandon();
  producer.join();
  CHECK_FALSE(accepted.load());
  CHECK_FALSE(queue.pop());
}
