"""Limits of rejects hold for a run, in however many sessions it is done."""

import json
import random

import numpy as np
import pytest

from fake_run import RESIDUES, committed


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """2,000 good sequences; a model decides which of them get no vector."""
    path = tmp_path_factory.mktemp("many") / "in.csv"
    chance = random.Random(1)
    rows = ["".join(chance.choices(RESIDUES, k=chance.randrange(20, 140))) for _ in range(2000)]
    path.write_text("id,sequence\n" + "".join(f"s{i},{row}\n" for i, row in enumerate(rows)))
    return path


def embedding(longhaul_fake, folder, data, **model):
    path = folder / "model.json"
    path.write_text(json.dumps({"fake": True, "dimension": 16, **model}))

    def embed(*options, out=folder / "out"):
        return longhaul_fake("embed", path, data, "-o", out, "-q", "--commit-every", 0, "-b", 8,
                             *options)
    return embed


def rejects(out):
    return len((out / "rejects.csv").read_text().splitlines()) - 1


@pytest.mark.parametrize("limit", [("--max-rejects", 8), ("--max-rejects", "0.5%"), ("--strict",),
                                   ()], ids=str)
def test_a_limit_is_not_forgotten_when_the_command_is_given_again(longhaul_fake, tmp_path, many,
                                                                  limit):
    embed = embedding(longhaul_fake, tmp_path, many, nan_every=60)
    for _ in range(4):  # one window, so what was rejected is in the window in hand
        done = embed(*limit)
        assert done.code == 65, done
        assert "not finite" in done.err or "more than the limit" in done.err
    assert sum(committed(tmp_path / "out")) < 2000
    assert not (tmp_path / "out" / "embeddings.npy").exists()
    if limit and limit[0] == "--max-rejects":
        for _ in range(2):  # small windows: most of what was rejected is in complete ones
            done = embed(*limit, "--window", 64, out=tmp_path / "small")
            assert done.code == 65, done


@pytest.mark.parametrize("limit", [("--max-rejects", 8), ()], ids=str)
@pytest.mark.parametrize("window", [64, 4096])
def test_a_limit_is_not_forgotten_by_starting_anew(longhaul_fake, tmp_path, many, limit, window):
    embed = embedding(longhaul_fake, tmp_path, many, nan_every=60)
    done = embed(*limit, "--recycle-every", 10, "--window", window)
    assert done.code == 65, done
    assert len(json.loads((tmp_path / "out/run.json").read_text())["sessions"]) > 2


def test_a_lower_limit_stops_what_is_already_above_it_and_a_higher_one_goes_on(longhaul_fake,
                                                                              tmp_path, many):
    embed = embedding(longhaul_fake, tmp_path, many, nan_every=150, rows_per_second=1500)
    stopped = embed("--max-rejects", 100, "--time-limit", "900ms")
    assert stopped.code == 75, stopped
    before = committed(tmp_path / "out")
    lowered = embed("--max-rejects", 1)
    assert lowered.code == 65 and "more than the limit of 1" in lowered.err, lowered
    assert committed(tmp_path / "out") == before  # nothing was encoded for it
    done = embed("--max-rejects", 100)
    assert done.code == 0, done
    assert rejects(tmp_path / "out") > 8
    empty = np.isnan(np.load(tmp_path / "out/embeddings.npy")).all(axis=1)
    assert empty.sum() == rejects(tmp_path / "out")


def test_what_the_output_type_cannot_hold_counts_too(longhaul_fake, tmp_path, many):
    embed = embedding(longhaul_fake, tmp_path, many, huge_every=60)
    for _ in range(2):
        done = embed("--output-dtype", "fp16", "--max-rejects", 8)
        assert done.code == 65 and "more than the limit of 8" in done.err, done
        assert "--output-dtype fp32" in done.err
    free = embed("--output-dtype", "fp16", "--max-rejects", 100, out=tmp_path / "free")
    assert free.code == 0, free
    assert 8 < rejects(tmp_path / "free") < 100
    assert embed(out=tmp_path / "wide").code == 0  # float32 holds them all
