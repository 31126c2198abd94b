"""The remedies of `--shard`, followed."""

import re
import shutil

import pytest

from remedies import Trial, cannot_follow, follows

MODE = "lib/session/shard_mode.cpp"
CHECKS = "lib/session/session_checks.cpp"
SCHEDULED = "lib/config/scheduled_shard.cpp"
CHOICES = "lib/session/shard_choices.cpp"

cannot_follow(MODE, "is in use by", "a plain run that begins between two looks at the output: "
              "tests/session/shard_mode_test.cpp")
cannot_follow(CHOICES, "is of version ", "a later longhaul, whose file has a hash of its own")


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


def shard(t, number, *flags):
    return t.embed("--shard", number, *flags)


@follows("lib/config/validate_config.cpp", "--shard and --retry-rejects exclude each other")
def test_a_retry_is_of_the_merged_output(t):
    t.input.write_text("id,sequence\na,ACDEF\nb,MK?LV\n")
    t.fails(2, "merge the shards, then give --retry-rejects without --shard",
            *shard(t, "1/1", "--retry-rejects"))
    t.works(*shard(t, "1/1"))
    t.works("merge", t.out, code=3)
    t.works(*t.embed("--retry-rejects", "--unknown", "token"))


@follows("lib/config/validate_config.cpp", "--shard cannot read standard input")
def test_standard_input(t):
    command = ["embed", t.model, "-", "--format", "csv", "-o", t.out, "-q", "--shard", "1/2"]
    t.fails(2, "write it to a file first", *command)
    t.works(*shard(t, "1/2"))


@follows(CHECKS, "lists of devices do not go with ")
def test_batches_that_cross_blocks(t):
    for flags in (["--order", "input"], ["--pooling", "mean-compat", "--order", "input", "-b", "2"]):
        t.fails(2, "or leave that setting out", *shard(t, "1/2", *flags))
        t.works(*t.embed(*flags))
        shutil.rmtree(t.out)
    t.works(*shard(t, "1/2"))


@follows(CHECKS, " of another output")
def test_a_shard_by_its_folder(t):
    t.works(*shard(t, "1/2"))
    line = t.fails(73, "to go on with this part", "embed", t.model, t.input, "-o",
                   t.out / "shards/1-of-2", "-q")
    number = re.search(r"give --shard (\S+)", line)[1]
    t.works(*shard(t, number))


@follows(SCHEDULED, "is not set", "not numbered 1 to N", "does not tell how many", "finds no scheduler",
         "finds no number", "the shards are numbered ")
def test_numbers_of_schedulers(t):
    array = {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "2",
             "SLURM_ARRAY_TASK_STEP": "1", "SLURM_ARRAY_TASK_COUNT": "2"}
    few = {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_MAX": "7",
           "SLURM_ARRAY_TASK_STEP": "1", "SLURM_ARRAY_TASK_COUNT": "2"}
    t.fails(2, "give --shard I/N", *shard(t, "auto"))
    t.fails(2, "give --shard I/N", *shard(t, "auto"), env={"SLURM_ARRAY_TASK_ID": "2"})
    t.fails(2, "submit it with --array=1-N, or give --shard auto/N", *shard(t, "auto"), env=few)
    t.fails(2, "give --shard auto/N", *shard(t, "auto"), env={"PBS_ARRAY_INDEX": "2"})
    t.fails(2, "give --shard I/2, with I from 1", *shard(t, "auto/2"))
    t.fails(2, "number the array from 1 to 2, or give --shard I/2", *shard(t, "auto/2"),
            env={"SGE_TASK_ID": "3"})
    for number, env in (("auto", array), ("auto/2", few), ("auto/2", {"PBS_ARRAY_INDEX": "2"}), ("2/2", {})):
        t.works(*shard(t, number), env=env)
    assert [path.name for path in t.out.glob("shards/*-of-*")] == ["2-of-2"]


@follows(CHOICES, "is damaged: ")
def test_damaged_choices(t):
    t.works(*shard(t, "1/2"))
    path = t.out / "shards/choices.json"
    kept = path.read_text()
    path.write_text(kept[:-20])
    t.fails(65, "remove that file", *shard(t, "2/2"))
    path.unlink()
    t.works(*shard(t, "2/2"))


@follows(MODE, " holds ")
def test_a_shard_that_was_renamed(t):
    t.works(*shard(t, "1/2"))
    (t.out / "shards/1-of-2").rename(t.out / "shards/2-of-2")
    t.fails(73, "give it its own name again, or remove it", *shard(t, "2/2"))
    (t.out / "shards/2-of-2").rename(t.out / "shards/1-of-2")
    t.works(*shard(t, "2/2"))


@follows(MODE, "was begun without --shard")
@follows("lib/store/shards.cpp", "which are not merged")
def test_with_and_without(t):
    t.works(*t.embed())
    t.fails(73, "leave --shard out, or name another --output", *shard(t, "1/2"))
    t.works(*t.embed())
    shutil.rmtree(t.out)
    t.works(*shard(t, "1/2"))
    t.fails(73, "put them together with longhaul merge, or name another directory", *t.embed())
    t.works(*shard(t, "2/2"))
    t.works("merge", t.out)
    t.works(*t.embed())


@follows(MODE, " is divided into ")
def test_another_number_of_shards(t):
    t.works(*shard(t, "1/2"))
    t.fails(73, "give --shard with that number", *shard(t, "1/3"))
    t.works(*shard(t, "2/2"))
    shutil.rmtree(t.out / "shards")
    t.works(*shard(t, "1/3"))


@follows(MODE, 'what + ", and this is "', "--overwrite with --shard would begin a part anew")
def test_a_merged_output(t):
    for number in ("1/2", "2/2"):
        t.works(*shard(t, number))
    t.works("merge", t.out)
    t.fails(73, "leave --shard out, or name another --output", *shard(t, "1/3"))
    t.fails(73, "leave out --overwrite, or name another --output", *shard(t, "1/2", "--overwrite"))
    t.works(*shard(t, "1/2"))
    t.works(*t.embed())


@follows("lib/store/shards.cpp", "is not empty and not ours")
def test_somebody_elses_directory(t):
    t.write("out/thesis.tex", "mine")
    t.fails(73, "name a new or empty directory", *shard(t, "1/2"))
    t.works("embed", t.model, t.input, "-o", "other", "-q", "--shard", "1/2")
