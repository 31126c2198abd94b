"""The shipped script under a real Slurm: an array of shards with a merge that depends on it."""

import json
import tempfile
import pathlib

import pytest

import slurm_cluster
from conftest import ROOT
from fake_run import Job, contents, journal
from test_engines import snakemake
from slurm_cluster import Cluster, wait_for

SHARDS = 3


@pytest.fixture(scope="module")
def cluster():
    if reason := slurm_cluster.why_not():
        pytest.skip(reason)
    # Sockets have short names.
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as name:
        cluster = Cluster(pathlib.Path(name))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def committed(out, index):
    lines = journal(out / f"shards/{index}-of-{SHARDS}")
    return any(line["kind"] == "commit" for line in lines)


def test_preempted_and_killed_tasks_end_as_one_run_would(cluster, longhaul_fake, tmp_path):
    """One task gets USR1, one loses its node: both go on, and the merge waits for all."""
    job = Job(longhaul_fake, tmp_path, records=64 * 12 + 7, rate=40)
    expected = job.reference()
    out = tmp_path / "out"
    environment = {"LONGHAUL": str(longhaul_fake.path)}
    cluster.environment.update(environment)
    array = cluster.submit(
        f"--array=1-{SHARDS}", "--cpus-per-task=1", "--mem=0", "--time=10",
        f"--output={tmp_path}/shard-%a.log", ROOT / "configs/slurm_array.sh",
        *map(str, job.arguments(out)[1:]))
    merge = cluster.submit(f"--dependency=afterok:{array}", "--cpus-per-task=1", "--mem=0",
                           f"--output={tmp_path}/merge.log",
                           f"--wrap={longhaul_fake.path} merge {out}; test $? -eq 3")
    wait_for(lambda: committed(out, 1) and committed(out, 2), 60, "two shards that commit")
    # Preempted: the batch shell alone is told.
    cluster.run("scancel", "--signal=USR1", "--batch", f"{array}_1")
    wait_for(lambda: json.loads((out / f"shards/1-of-{SHARDS}/run.json").read_text())["state"]
             == "interrupted" or len(json.loads(
                 (out / f"shards/1-of-{SHARDS}/run.json").read_text())["sessions"]) > 1,
             30, "the end of a task that was told to stop")
    state, node = cluster.states(array)[f"{array}_2"]
    assert state == "RUNNING"
    assert cluster.kill_node(node, longhaul_fake.path.name) >= 1
    assert journal(out / f"shards/2-of-{SHARDS}")[-1]["kind"] != "finish"
    wait_for(lambda: cluster.states(merge).get(merge, ("",))[0] == "COMPLETED", 150,
             "the merge: " + str(cluster.states(array)))
    assert contents(out) == expected
    sessions = json.loads((out / "run.json").read_text())["sessions"]
    counts = {index: sum(session["shard"] == index for session in sessions)
              for index in range(1, SHARDS + 1)}
    assert counts[1] == 2 and counts[2] == 2 and counts[3] == 1
    assert set(cluster.states(array).values()) and all(
        state == "COMPLETED" for state, _ in cluster.states(array).values())
    verified = longhaul_fake("verify", out)
    assert verified.code == 0, verified
    assert cluster.states(array)[f"{array}_2"][1] != node
    cluster.start_node(node)
    wait_for(lambda: cluster.node_states() == ["idle"] * 2, 60, "the node to come back")


def test_two_of_the_shards_again(cluster, longhaul_fake, tmp_path):
    """--array=1,3 does not say of how many; SHARD=auto/N does."""
    job = Job(longhaul_fake, tmp_path, records=64 * 5)
    out = tmp_path / "out"
    assert longhaul_fake(*job.arguments(out, "--shard", "2/3")).code == 0
    cluster.environment.update({"LONGHAUL": str(longhaul_fake.path), "SHARD": "auto/3"})
    array = cluster.submit("--array=1,3", "--cpus-per-task=1", "--mem=0", "--wait",
                           f"--output={tmp_path}/shard-%a.log", ROOT / "configs/slurm_array.sh",
                           *map(str, job.arguments(out)[1:]))
    cluster.environment.pop("SHARD")
    assert {state for state, _ in cluster.states(array).values()} == {"COMPLETED"}
    assert longhaul_fake("merge", out).code == 3
    assert contents(out) == job.reference()


def test_snakemake_on_slurm(cluster, longhaul_fake, tmp_path):
    """The shipped Snakefile, its jobs on the cluster's nodes."""
    pytest.importorskip("snakemake_executor_plugin_slurm", reason="no executor for Slurm")
    if not cluster.inside:
        pytest.skip("no mount namespaces here, and this executor looks for /etc/slurm only")
    job = Job(longhaul_fake, tmp_path, records=64 * 4 + 9)
    out = tmp_path / "out"
    done = snakemake(job, out, 2, "--executor", "slurm", "--jobs", "4", "--slurm-no-account",
                     "--slurm-status-command", "squeue",
                     "--slurm-init-seconds-before-status-checks", "2",
                     "--seconds-between-status-checks", "1", "--latency-wait", "20",
                     "--default-resources", "mem_mb=100", "runtime=5",
                     prefix=cluster.inside, environment=cluster.environment, settings=["mem_mb=100"])
    assert done.returncode == 0, done.stderr
    assert contents(out) == job.reference()
    ran = [line for line in (cluster.folder / "jobcomp.txt").read_text().splitlines()
           if "JobState=COMPLETED" in line]
    assert len(ran) >= 3  # two shards and a merge, on top of what came before
