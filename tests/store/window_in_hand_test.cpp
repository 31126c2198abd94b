// The window in hand: what of it comes back, and what is claimed of it.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "fakes/fault_files.hpp"
#include "store/embedding_store.hpp"
#include "store/store_driver.hpp"
#include "store/vector_store.hpp"

using namespace longhaul;
using namespace longhaul::store::test;
using namespace longhaul::store;
using namespace longhaul::fakes;

TEST_CASE("late outcomes of the window in hand come back, and no others") {
  FaultFiles files;
  const LateOutcome oom{1, Status::kRejected, Defect{Reason::kOutOfMemory, "alone"}, {}, {}};
  const LateOutcome copy{2, Status::kDuplicate, {}, 0, hash128("x")};
  {
    const auto out = open_store(files, "out");
    const auto store = out->begin(kLayout, {{"a", 1}});
    store->note({{"session", 1}});
    CHECK(store->put(0, only(kVector)));
    store->complete_window(std::vector{good(0, "a")});
    store->commit({0, 0 + 1, 0 + 1, "c0", {}, 0, {oom}, {}});
    store->commit({1, 1, 1, "c1", InputHash{hash128("in")}, 1, {oom}, {{"n", 7}}});
    store->note({{"session", 2}});
    store->commit({1, 1, 1, "c1", InputHash{hash128("in")}, 2, {copy}, {{"n", 8}}});
  }
  const std::optional<StoreState> state = read_store(files, "out");
  REQUIRE(state);
  CHECK(state->begin == nlohmann::json{{"a", 1}});
  CHECK(state->layout == kLayout);
  CHECK(state->notes == std::vector<nlohmann::json>{{{"session", 1}}, {{"session", 2}}});
  CHECK_FALSE(state->finish);
  REQUIRE(state->progress);
  CHECK(state->progress->cursor == "c1");
  CHECK(state->progress->input_hash.content == hash128("in"));
  CHECK(state->progress->position == 2);
  CHECK(state->progress->counters == nlohmann::json{{"n", 8}});
  REQUIRE(state->progress->late.size() == 2);
  CHECK(state->progress->late[0].row == 1);
  CHECK(state->progress->late[0].defect->reason == Reason::kOutOfMemory);
  CHECK(state->progress->late[0].defect->message == "alone");
  CHECK(state->progress->late[1].duplicate_of == 0);
  CHECK(state->progress->late[1].hash == hash128("x"));
}

TEST_CASE("a window in hand that is dropped claims no row and no outcome any more") {
  FaultFiles files;
  const LateOutcome oom{2, Status::kRejected, Defect{Reason::kOutOfMemory, "alone"}, {}, {}};
  {
    const auto out = open_store(files, "out");
    const auto store = out->begin(kLayout, {});
    CHECK(store->put(0, only(kVector)));
    store->complete_window(std::vector{good(0, "a")});
    CHECK(store->put(3, only(kVector)));
    Progress progress{1, 1, 1, "", {}, 2, {oom}, {}};
    progress.window_end = 4;
    progress.window_end_hash = InputHash{hash128("end"), hash128("times")};
    store->commit(progress);
  }
  {
    const auto out = open_store(files, "out");
    CHECK(out->state()->progress->window_end == 4U);
    CHECK(out->state()->progress->window_end_hash ==
          InputHash{hash128("end"), hash128("times"), DigestForm::kSum});
    const auto store = out->resume(kLayout);
    store->drop_window({1, 1, 1, "", {}, 0, {}, {}});
    CHECK(files.content("out/embeddings.npy.partial").size() == 128 + 8);
    CHECK(store->put(1, only(kVector)));
    store->commit({1, 1, 1, "", {}, 1, {}, {}});
  }
  const auto out = open_store(files, "out");
  CHECK(out->state()->progress->late.empty());
  CHECK_FALSE(out->state()->progress->window_end);
  const auto store = out->resume(kLayout);
  store->complete_window(std::vector{good(1, "b")});
  store->commit({2, 2, 2, "", {}, 0, {}, {}});
  store->finish(2, {{"state", "done"}}, {{"code", 0}});
  CHECK(files.content("out/embeddings.npy").size() == 128 + 2 * 8);
}

TEST_CASE("a window of residues that is dropped is placed anew, in other lengths") {
  const StoreLayout layout{{{"tokens", ArrayKind::kTokens, 1, OutputDtype::kFp32}}, {}, {true}};
  FaultFiles files;
  {
    const auto out = open_store(files, "out");
    const auto store = out->begin(layout, {});
    store->place_window(0, std::vector<std::uint32_t>{2, 3});
    CHECK(store->put(1, only({1, 2, 3})));
    store->commit({0, 0, 0, "", {}, 1, {}, {}});
  }
  {
    const auto out = open_store(files, "out");
    const auto store = out->resume(layout);
    CHECK(code_of(
              [&] {
                store->place_window(0, std::vector<std::uint32_t>{1, 3});
              },
              "the input has changed") == ExitCode::kBadData);
  }
  const auto out = open_store(files, "out");
  const auto store = out->resume(layout);
  store->drop_window({0, 0, 0, "", {}, 0, {}, {}});
  CHECK(files.content("out/tokens.npy.partial").size() == 128);
  store->place_window(0, std::vector<std::uint32_t>{1});
  CHECK(store->put(0, only({4})));
  store->complete_window(std::vector{good(0, "a")});
  store->commit({1, 1, 1, "", {}, 0, {}, {}});
  store->finish(1, {{"state", "done"}}, {{"code", 0}});
  CHECK(files.content("out/tokens.npy").size() == 128 + 4);
}

TEST_CASE("a window is dropped again where that failed at any operation") {
  for (std::uint64_t at = 1; at < 40; ++at) {
    FaultFiles files;
    {
      const auto out = open_store(files, "out");
      const auto store = out->begin(kLayout, {});
      CHECK(store->put(5, only(kVector)));
      store->commit({0, 0, 0, "", {}, 1, {}, {}});
    }
    files.arm(Fault::kErrorOnce, at);
    try {
      const auto out = open_store(files, "out");
      const auto store = out->resume(kLayout);
      store->drop_window({0, 0, 0, "", {}, 0, {}, {}});
    } catch (const Error&) {
      // The fault.
    }
    files.end_process();
    const auto out = open_store(files, "out");
    const auto store = out->resume(kLayout);
    if (out->state()->progress->position > 0) {
      store->drop_window({0, 0, 0, "", {}, 0, {}, {}});
    }
    CHECK(store->put(0, only(kVector)));
    store->complete_window(std::vector{good(0, "a")});
    store->commit({1, 1, 1, "", {}, 0, {}, {}});
    store->finish(1, {{"state", "done"}}, {{"code", 0}});
    CHECK(files.content("out/embeddings.npy").size() == 128 + 8);
  }
}

TEST_CASE("a commit between two windows claims nothing of the next, however far it is") {
  FaultFiles files;
  const StoreLayout layout = plan_of_three_outputs().layout;
  const auto put = [](EmbeddingStore& store, std::uint64_t row, std::uint32_t residues) {
    const std::vector<float> first(5, 1.0F);
    const std::vector<float> second(3, 2.0F);
    const std::vector<float> tokens(residues * 2, 3.0F);
    const std::vector<std::span<const float>> all{first, second, tokens};
    REQUIRE(store.put(row, all));
  };
  RecordRow row = good(0, "a");
  row.kept = {"x", "y"};
  {
    const auto out = open_store(files, "out");
    const auto store = out->begin(layout, {});
    store->place_window(0, std::vector<std::uint32_t>{2});
    put(*store, 0, 2);
    store->complete_window(std::vector{row});
    store->place_window(1, std::vector<std::uint32_t>{4});
    put(*store, 1, 4);
    store->commit({1, 1, 1, "", {}, 0, {}, {}});
  }
  // The window is another now, which nobody need be told.
  const auto out = open_store(files, "out");
  const auto store = out->resume(layout);
  CHECK(files.content("out/embeddings.npy.partial").size() == 128 + 5 * 4);
  CHECK(files.content("out/tokens.npy.partial").size() == 128 + 2 * 2 * 2);
  CHECK(files.content("out/token_offsets.npy").size() == 128 + 2 * 8);
  store->place_window(1, std::vector<std::uint32_t>{1});
  put(*store, 1, 1);
  row.row = row.position = 1;
  store->complete_window(std::vector{row});
  store->commit({2, 2, 2, "", {}, 0, {}, {}});
  store->finish(2, {{"state", "done"}}, {{"code", 0}});
  CHECK(files.content("out/tokens.npy").size() == 128 + 3 * 2 * 2);
}
