"""The shipped files for Snakemake and Kubernetes. No cluster of Kubernetes is here: its file is
checked against the schemas of its API and for what they cannot tell, and its command is run with the
variable that Kubernetes would set."""

import copy
import json
import subprocess
import sys

import pytest

from conftest import ROOT, clean_environment
from fake_run import Job, contents

SNAKEFILE = ROOT / "configs/Snakefile"


def snakemake(job, out, count, *more, prefix=(), settings=(), environment=None):
    pytest.importorskip("snakemake", reason="Snakemake is not installed (scripts/requirements.txt)")
    return subprocess.run(
        [*prefix, sys.executable, "-m", "snakemake", "-s", SNAKEFILE, "--directory", job.folder, *more,
         "--config", f"model={job.model}", f"input={job.input}", f"out={out}", f"shards={count}",
         f"longhaul={job.run_fake.path}",
         f"flags={' '.join(map(str, job.options[:-2]))}", *settings],
        env=environment or clean_environment(), capture_output=True, text=True, timeout=300)


def test_snakemake_embeds_shards_and_merges(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, records=64 * 7 + 9)
    out = tmp_path / "out"
    done = snakemake(job, out, 3, "--cores", "2")
    assert done.returncode == 0, done.stderr
    assert contents(out) == job.reference()
    merged = (out / "journal.jsonl").read_bytes()
    # Made again for another reason, a shard is looked at and found complete.
    (tmp_path / "out.done/2-of-3").unlink()
    again = snakemake(job, out, 3, "--cores", "2")
    assert again.returncode == 0, again.stderr
    assert (out / "journal.jsonl").read_bytes() == merged


def test_snakemake_tries_again_where_a_job_died(longhaul_fake, tmp_path):
    """Each attempt is killed at its twelfth batch; it goes on from what was committed."""
    job = Job(longhaul_fake, tmp_path, records=64 * 3, rate=200)
    expected = job.reference()
    job.model.write_text(json.dumps(json.loads(job.model.read_text()) | {"kill_at": 12}))
    out = tmp_path / "out"
    done = snakemake(job, out, 2, "--cores", "1")
    assert done.returncode == 0, done.stderr
    assert contents(out) == expected
    sessions = json.loads((out / "run.json").read_text())["sessions"]
    assert len(sessions) > 2, sessions


def job_of_kubernetes():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / "configs/kubernetes_indexed_job.yaml").read_text())


def test_kubernetes_job_fits_the_schemas_of_its_api():
    """Those of every version that the file is said to be for, without unknown fields."""
    schemas = pytest.importorskip("kubernetes_validate", reason="no schemas of Kubernetes here "
                                  "(scripts/requirements.txt)")
    job = job_of_kubernetes()
    first, last = 29, int(schemas.latest_version().split(".")[1])
    assert f"(1.{first} or later" in (ROOT / "configs/kubernetes_indexed_job.yaml").read_text()
    assert last >= 37
    for minor in range(first, last + 1):
        schemas.validate(job, f"1.{minor}", strict=True)

    def spoilt(change):
        other = copy.deepcopy(job)
        change(other["spec"])
        return other

    for change in (lambda spec: spec.update(podFailurePolicies={}),
                   lambda spec: spec.update(completions="8"),
                   lambda spec: spec["template"]["spec"]["containers"][0].pop("name"),
                   lambda spec: spec["podFailurePolicy"]["rules"][0].pop("action"),
                   lambda spec: spec["podFailurePolicy"]["rules"][0]["onExitCodes"].update(value=[2])):
        with pytest.raises(schemas.ValidationError):
            schemas.validate(spoilt(change), "1.31", strict=True)
    with pytest.raises(schemas.ValidationError):  # which has no podReplacementPolicy
        schemas.validate(job, f"1.{first - 2}", strict=True)


def test_kubernetes_job_has_the_structure_of_its_api():
    job = job_of_kubernetes()
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    spec = job["spec"]
    assert set(spec) <= {"completionMode", "completions", "parallelism", "backoffLimit",
                         "podReplacementPolicy", "podFailurePolicy", "template"}
    assert spec["completionMode"] == "Indexed"
    pod = spec["template"]["spec"]
    # What podFailurePolicy needs.
    assert pod["restartPolicy"] == "Never"
    container, = pod["containers"]
    seen = set()
    for rule in spec["podFailurePolicy"]["rules"]:
        assert rule["action"] in {"FailJob", "Ignore", "Count", "FailIndex"}
        assert len(set(rule) & {"onExitCodes", "onPodConditions"}) == 1
        if codes := rule.get("onExitCodes"):
            assert codes["operator"] in {"In", "NotIn"} and codes["containerName"] == container["name"]
            assert 0 < len(codes["values"]) <= 255 and 0 not in codes["values"]
            assert codes["values"] == sorted(set(codes["values"]))
            assert not seen & set(codes["values"])
            seen |= set(codes["values"])
        for condition in rule.get("onPodConditions", []):
            assert set(condition) == {"type", "status"} and isinstance(condition["status"], str)
    assert spec["podReplacementPolicy"] == "Failed"  # the only one with a podFailurePolicy
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]}
    assert container["command"][-1] == f"auto/{spec['completions']}"


def test_kubernetes_command_embeds_all_shards(longhaul_fake, tmp_path):
    """Its command, with the paths of this machine and each index that there would be."""
    spec = job_of_kubernetes()["spec"]
    command = spec["template"]["spec"]["containers"][0]["command"]
    job = Job(longhaul_fake, tmp_path, records=64 * 9 + 3)
    out = tmp_path / "OUT"
    here = {"longhaul": longhaul_fake.path, "/data/model.ts": job.model,
            "/data/proteins.fasta": job.input, "/data/OUT": out}
    words = [str(here.get(word, word)) for word in command]
    for index in range(spec["completions"]):
        done = subprocess.run(words, capture_output=True, text=True,
                              env=clean_environment() | {"JOB_COMPLETION_INDEX": str(index)})
        assert done.returncode == 0, done
    assert longhaul_fake("merge", out).code == 3
    job.options = []
    assert contents(out) == job.reference()


def test_kubernetes_ends_at_codes_that_another_start_cannot_help():
    rules = job_of_kubernetes()["spec"]["podFailurePolicy"]["rules"]
    action = {code: rule["action"] for rule in rules
              for code in rule.get("onExitCodes", {}).get("values", [])}
    assert action == {2: "FailJob", 65: "FailJob", 70: "FailJob", 73: "FailJob", 75: "Ignore"}
    # 69, 71 and 74 may be another node's, later: they count against backoffLimit.
