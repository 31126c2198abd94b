// Which shard a scheduler says this process is.
#include "config/scheduled_shard.hpp"

#include "expect.hpp"

namespace longhaul::config {
namespace {

using test::usage_error;
using Environment = std::map<std::string, std::string>;

ShardChoice choice(const std::string& value) {
  return resolve_config({{"shard", value}}, {}, {}).config.shard.value();
}

Environment array(const std::string& id, const std::string& first, const std::string& last,
                  const std::string& count, const std::string& step = "1") {
  // As every batch task has it, which makes it no task of srun.
  return {{"SLURM_ARRAY_TASK_ID", id},
          {"SLURM_ARRAY_TASK_MIN", first},
          {"SLURM_ARRAY_TASK_MAX", last},
          {"SLURM_ARRAY_TASK_COUNT", count},
          {"SLURM_ARRAY_TASK_STEP", step},
          {"SLURM_PROCID", "0"},
          {"SLURM_NTASKS", "4"}};
}

std::string refused(const std::string& value, const Environment& environment) {
  return usage_error([&] { scheduled_shard(choice(value), environment); });
}

TEST_CASE("--shard is I/N, auto, auto/N or none") {
  CHECK(choice("2/8").index == 2);
  CHECK(choice("2/8").count == 8);
  CHECK_FALSE(choice("auto").index);
  CHECK_FALSE(choice("auto").count);
  CHECK_FALSE(choice("auto/8").index);
  CHECK(choice("auto/8").count == 8);
  CHECK_FALSE(resolve_config({{"shard", "none"}}, {}, {}).config.shard);
  for (const char* bad : {"", "0/8", "9/8", "2", "2/", "/8", "2/0", "auto/", "auto/0", "auto/x",
                          "2/8/3", "-1/8", "a/b", "Auto"}) {
    INFO(bad);
    CHECK_THROWS_AS(resolve_config({{"shard", bad}}, {}, {}), Error);
  }
  CHECK(find_setting("shard")->get(resolve_config({{"shard", "auto/8"}}, {}, {}).config) ==
        "auto/8");
  CHECK(find_setting("shard")->get(resolve_config({{"shard", "02/8"}}, {}, {}).config) == "2/8");
}

TEST_CASE("what is said needs no scheduler") {
  const ScheduledShard known = scheduled_shard(choice("2/8"), array("5", "1", "5", "5"));
  CHECK(known.shard == Shard{2, 8});
  CHECK(known.from.empty());
}

TEST_CASE("auto is a Slurm array of 1 to N, else srun's tasks") {
  CHECK(scheduled_shard(choice("auto"), array("3", "1", "4", "4")).shard == Shard{3, 4});
  CHECK(scheduled_shard(choice("auto"), array("3", "1", "4", "4")).from == "SLURM_ARRAY_TASK_ID");
  const Environment task{{"SLURM_PROCID", "2"}, {"SLURM_NTASKS", "3"}, {"SLURM_STEP_ID", "0"}};
  CHECK(scheduled_shard(choice("auto"), task).shard == Shard{3, 3});
  CHECK(scheduled_shard(choice("auto"), task).from == "SLURM_PROCID");
}

TEST_CASE("an array that is not 1 to N does not tell how many shards there are") {
  // --array=2,7; --array=0-3; --array=1-7:2; --array=2-5
  for (const Environment& odd : {array("2", "2", "7", "2"), array("1", "0", "3", "4"),
                                 array("3", "1", "7", "4", "2"), array("3", "2", "5", "4")}) {
    CHECK(refused("auto", odd).find("auto/N") != std::string::npos);
  }
  CHECK(scheduled_shard(choice("auto/8"), array("7", "2", "7", "2")).shard == Shard{7, 8});
}

TEST_CASE("auto without one that counts is refused with the way out") {
  CHECK(refused("auto", {}).find("--shard I/N") != std::string::npos);
  CHECK(refused("auto", {{"PBS_ARRAY_INDEX", "2"}}).find("auto/N") != std::string::npos);
  // One task, and a batch script of several, are not several processes.
  CHECK(refused("auto", {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}, {"SLURM_STEP_ID", "0"}})
            .find("no scheduler") != std::string::npos);
  CHECK(refused("auto", {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "4"}}).find("no scheduler") !=
        std::string::npos);
}

TEST_CASE("auto/N takes the scheduler's number as it is, Kubernetes' from 0") {
  for (const char* name :
       {"SLURM_ARRAY_TASK_ID", "PBS_ARRAY_INDEX", "LSB_JOBINDEX", "SGE_TASK_ID"}) {
    INFO(name);
    CHECK(scheduled_shard(choice("auto/8"), {{name, "8"}}).shard == Shard{8, 8});
    CHECK(scheduled_shard(choice("auto/8"), {{name, "1"}}).from == name);
    CHECK(refused("auto/8", {{name, "0"}}).find(name) != std::string::npos);
    CHECK(refused("auto/8", {{name, "9"}}).find("from 1 to 8") != std::string::npos);
    CHECK(refused("auto/8", {{name, "two"}}).find("'two'") != std::string::npos);
  }
  CHECK(scheduled_shard(choice("auto/8"), {{"JOB_COMPLETION_INDEX", "0"}}).shard == Shard{1, 8});
  CHECK(scheduled_shard(choice("auto/8"), {{"JOB_COMPLETION_INDEX", "7"}}).shard == Shard{8, 8});
  CHECK(refused("auto/8", {{"JOB_COMPLETION_INDEX", "8"}}).find("0 to 7") != std::string::npos);
  // Grid Engine's word for a job that is no array.
  CHECK(refused("auto/8", {{"SGE_TASK_ID", "undefined"}}).find("none of") != std::string::npos);
}

TEST_CASE("a shard reads all of its input, and is no retry") {
  RunConfig config = resolve_config({{"shard", "1/2"}}, {}, {}).config;
  config.inputs = {"a.csv"};
  CHECK_NOTHROW(validate_config(config));
  config.inputs = {"-"};
  CHECK(usage_error([&] { validate_config(config); }).find("standard input") != std::string::npos);
  config.inputs = {"a.csv"};
  config.retry_rejects = true;
  CHECK(usage_error([&] { validate_config(config); }).find("--retry-rejects") != std::string::npos);
}

}  // namespace
}  // namespace longhaul::config
