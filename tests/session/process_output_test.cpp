// What several processes of one command find before they start, and what they leave when none
// began.
#include "session/process_output.hpp"

#include <catch2/catch.hpp>

#include "session/scene.hpp"
#include "store/embedding_store.hpp"
#include "store/shards.hpp"

using namespace longhaul;
using namespace longhaul::session;
using namespace longhaul::session::test;

namespace {

std::vector<Shard> to_embed(Scene& scene, std::uint64_t count) {
  const ProcessOutput found = prepare_process_output(scene.files, scene.config, count, "this test");
  CHECK_FALSE(found.complete);
  return found.shards;
}

}  // namespace

TEST_CASE("processes begin every shard where there is nothing", "[processes]") {
  Scene scene;
  CHECK(to_embed(scene, 3) == std::vector<Shard>{{1, 3}, {2, 3}, {3, 3}});
  CHECK_FALSE(scene.files.exists(scene.config.output));
}

TEST_CASE("processes refuse what one process began or another count divided", "[processes]") {
  Scene plain;
  plain.run();
  CHECK(prepare_process_output(plain.files, plain.config, 2, "this test").complete);

  Scene divided;
  const std::string output = divided.config.output;
  divided.config.shard = {1, 3};
  divided.run();
  divided.config.shard.reset();
  divided.config.output = output;
  CHECK(to_embed(divided, 3).size() == 3);
  CHECK_THROWS_WITH(prepare_process_output(divided.files, divided.config, 2, "this test"),
                    Catch::Contains("divided into 3 shards"));
  divided.config.overwrite = true;
  CHECK(to_embed(divided, 2).size() == 2);
}

TEST_CASE("of processes that never began nothing stays", "[processes]") {
  Scene scene;
  const std::string& output = scene.config.output;
  scene.files.make_directory(output);
  scene.files.make_directory(store::shards_directory(output));
  remove_empty_output(scene.files, output);
  CHECK_FALSE(scene.files.exists(output));
  CHECK_NOTHROW(remove_empty_output(scene.files, output));

  SECTION("and what one of them began does") {
    scene.config.shard = {1, 2};
    scene.run();
    remove_empty_output(scene.files, output);
    CHECK(scene.files.exists(store::shard_directory(output, {1, 2})));
  }
  SECTION("nor does it hide what others put there") {
    scene.files.make_directory(output);
    scene.files.open(output + "/notes", OpenMode::kCreate);
    remove_empty_output(scene.files, output);
    CHECK(scene.files.exists(output + "/notes"));
  }
}
