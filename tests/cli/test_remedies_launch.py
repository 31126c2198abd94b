"""The remedies of several processes, followed."""

import os

import pytest

from remedies import Trial, cannot_follow, follows

CONFIG = "lib/config/validate_config.cpp"
PLAN = "lib/launch/process_plan.cpp"
OUTPUT = "lib/session/process_output.cpp"

cannot_follow("apps/longhaul/child_processes.cpp", "a process cannot be started",
              "a system without room for one more process: tests/launch/supervisor_test.cpp")
TWO = {"FAKE_CUDA_DEVICES": "2"}


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


@follows(CONFIG, "--shard exclude each other")
def test_a_shard_alone(t):
    t.fails(2, "give --shard alone", *t.embed("--processes", 2, "--shard", "1/2"))
    t.works(*t.embed("--shard", "1/2"))


@follows(CONFIG, "--retry-rejects runs in one process")
def test_a_retry_in_one_process(t):
    t.input.write_text("id,sequence\na,ACDEF\nb,MK?LV\n")
    t.works(*t.embed("--processes", 2), code=3)
    retry = ["--retry-rejects", "--unknown", "token"]
    t.fails(2, "leave out --processes (or give --processes 1)",
            *t.embed("--processes", 2, *retry))
    t.works(*t.embed("--processes", 1, *retry))


@follows(CONFIG, " cannot read standard input: every process reads all of the input")
def test_standard_input_of_several(t):
    t.fails(2, "write it to a file first", "embed", t.model, "-", "-o", t.out, "--processes", 2)
    t.works(*t.embed("--processes", 2))


@follows("apps/longhaul/embed_processes.cpp", "cannot be read by several processes")
def test_a_pipe_of_several(t):
    os.mkfifo(t.folder / "pipe")
    t.fails(2, "write it to a file first", "embed", t.model, "pipe", "-o", t.out, "--processes", 2,
            timeout=60)
    t.works(*t.embed("--processes", 2))


def test_files_beside_an_empty_journal(t):
    t.works(*t.embed())
    (t.out / "journal.jsonl").write_text("")
    t.fails(65, "start anew with --overwrite", *t.embed("--processes", 2))
    t.works(*t.embed("--processes", 2, "--overwrite"))
    t.works("verify", t.out)


@follows("lib/config/device_list.cpp", " one device")
def test_one_device_at_a_time(t):
    for devices in ("cuda:0,1", "cuda:all"):
        t.fails(2, "name one, as in --device cuda:0", "doctor", t.model, "--device", devices)
    t.works("doctor", t.model, "--device", "cpu")


@follows(CONFIG, " and --device ")
@follows(CONFIG, " cannot share --device ")
def test_as_many_processes_as_devices(t):
    t.fails(2, "leave out --processes, or name as many devices",
            *t.embed("--processes", 3, "--device", "cuda:0,1"))
    t.fails(2, "name as many devices, as in --device cuda:0,1",
            *t.embed("--processes", 2, "--device", "cuda:0"))
    t.works(*t.embed())


@follows(PLAN, ", which are ")
@follows(PLAN, "there is one process a device, and ")
def test_devices_that_are_there(longhaul_fake, t):
    for arguments in (["--device", "cuda:all"], []):
        done = longhaul_fake(*t.embed("--processes", 3, *arguments), env=TWO)
        assert done.code == 2, done
    done = longhaul_fake(*t.embed("--processes", 3, "--device", "cpu"), env=TWO)
    assert done.code == 0, done


@follows(PLAN, "a share of a run is the program's own")
def test_a_share_by_hand(t):
    t.fails(2, "leave it out, and use --processes or --shard",
            *t.embed("--share-of-processes", "1"))
    t.works(*t.embed("--processes", 2))


@follows(OUTPUT, " is divided into ")
def test_another_number_of_processes(t):
    t.works(*t.embed("--shard", "1/3"))
    t.fails(73, "give --processes 3", *t.embed("--processes", 2))
    t.works(*t.embed("--processes", 3))


@follows(OUTPUT, " was begun by one process")
def test_a_run_of_one_process_goes_on_in_one(longhaul_fake, t):
    done = longhaul_fake(*t.embed("--time-limit", "1ms"))
    assert done.code == 75, done
    t.fails(73, "leave out --processes", *t.embed("--processes", 2))
    t.works(*t.embed())
