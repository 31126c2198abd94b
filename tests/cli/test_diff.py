"""`longhaul diff`: its numbers against numpy and scikit-learn, its answers on outputs that were made alike,
differently, in part, and on damaged ones."""

import json
import os
import random
import shutil

import numpy as np
import pytest

from fake_run import LONG, Job, committed
from measured import MIB, run_measured
from run_directories import make_run


def diff(program, a, b, *flags):
    result = program("diff", a, b, "--json", *flags)
    assert result.code in (0, 1), result
    told = json.loads(result.out)
    assert told["equal"] == (result.code == 0)
    return told


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def cosine_distances(a, b):
    return ((unit(a) - unit(b)) ** 2).sum(1) / 2


def noisy_pair(tmp_path, rows=400, dimension=24, noise=0.02):
    """Vectors that share a great mean, as those of language models do, and the same with noise."""
    chance = np.random.default_rng(7)
    a = (chance.normal(size=(rows, dimension)) * 0.3 + 4).astype("<f4")
    b = (a + chance.normal(size=a.shape) * noise).astype("<f4")
    statuses = ["ok"] * rows
    statuses[3] = statuses[50] = "rejected"
    make_run(tmp_path / "a", a, statuses=statuses)
    make_run(tmp_path / "b", b, statuses=statuses)
    kept = [i for i in range(rows) if statuses[i] == "ok"]
    return a[kept].astype(float), b[kept].astype(float), kept


def test_its_figures_are_those_of_numpy_and_scikit_learn(longhaul_fake, tmp_path):
    neighbors = pytest.importorskip("sklearn.neighbors")
    a, b, kept = noisy_pair(tmp_path)
    told = diff(longhaul_fake, tmp_path / "a", tmp_path / "b")
    assert told["records"]["joined_by"] == "row" and told["records"]["in_both"] == len(kept) + 2
    array = told["arrays"]["embeddings"]
    assert array["vectors"] == len(kept) and array["same_bits"] == 0
    assert array["greatest_difference"] == pytest.approx(np.abs(a - b).max(), rel=1e-12)
    scale = np.maximum(1, np.abs(a).max(1))
    assert array["greatest_in_proportion"] == pytest.approx((np.abs(a - b).max(1) / scale).max())
    for name, apart in (("cosine", cosine_distances(a, b)),
                        ("centred_cosine", cosine_distances(a - a.mean(0), b - b.mean(0)))):
        found = array[name]["distance"]
        assert found["greatest"] == pytest.approx(apart.max(), rel=1e-9)
        for share in (0.1, 1, 5, 25, 50):
            expected = np.quantile(apart, 1 - share / 100, method="inverted_cdf")
            assert found[f"{share:g}"] == pytest.approx(expected, rel=1e-3), share
    # What the raw cosine hides.
    assert array["cosine"]["least"] > 0.9999 > 0.995 > array["centred_cosine"]["least"]

    def nearest(x):
        search = neighbors.NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute")
        return search.fit(x).kneighbors(return_distance=False)

    shared = [len(set(x) & set(y)) for x, y in zip(nearest(a), nearest(b))]
    assert array["neighbours"] == {"rows": len(kept), "nearest": 10,
                                   "agreement": pytest.approx(sum(shared) / 10 / len(kept))}
    assert array["neighbours"]["agreement"] < 1
    centred = cosine_distances(a - a.mean(0), b - b.mean(0))
    worst = np.argsort(-centred)[:10]
    assert [entry["row_a"] for entry in array["worst"]] == [kept[i] for i in worst]
    assert array["worst"][0]["id"] == f"r{kept[worst[0]]}"
    assert array["worst"][0]["centred_cosine"] == pytest.approx(1 - centred[worst[0]])


def test_a_sample_is_a_sample(longhaul_fake, tmp_path):
    noisy_pair(tmp_path)
    told = [diff(longhaul_fake, tmp_path / "a", tmp_path / "b", "--sample", 120, "--seed", seed)
            ["arrays"]["embeddings"]["neighbours"] for seed in (0, 0, 1)]
    assert told[0] == told[1] != told[2]
    assert told[0]["rows"] == 120 and 0.5 < told[0]["agreement"] < 1
    none = diff(longhaul_fake, tmp_path / "a", tmp_path / "b", "--sample", 0)
    assert none["arrays"]["embeddings"]["neighbours"] is None


def test_a_tolerance(longhaul_fake, tmp_path):
    a, b, _ = noisy_pair(tmp_path)
    greatest = (np.abs(a - b).max(1) / np.abs(a).max(1)).max()
    within = longhaul_fake("diff", tmp_path / "a", tmp_path / "b", "--tolerance", greatest * 1.001)
    assert within.code == 0 and within.out.splitlines()[-1].startswith("within"), within
    told = diff(longhaul_fake, tmp_path / "a", tmp_path / "b", "--tolerance", greatest / 2)
    beyond = (np.abs(a - b).max(1) / np.abs(a).max(1) > greatest / 2).sum()
    assert not told["equal"] and told["arrays"]["embeddings"]["beyond_tolerance"] == beyond > 0


def test_zero_of_either_sign_is_within_0_and_not_the_same_bits(longhaul_fake, tmp_path):
    make_run(tmp_path / "a", [[0.0, 1.0], [1.0, 2.0]])
    make_run(tmp_path / "b", [[-0.0, 1.0], [1.0, 2.0]])
    told = diff(longhaul_fake, tmp_path / "a", tmp_path / "b")
    assert not told["equal"] and told["arrays"]["embeddings"]["same_bits"] == 1
    assert diff(longhaul_fake, tmp_path / "a", tmp_path / "b", "--tolerance", 0)["equal"]


def test_vectors_that_have_no_cosine(longhaul_fake, tmp_path):
    make_run(tmp_path / "a", [[0, 0], [1, 2], [np.nan, 1], [3, 1], [1, 2]])
    make_run(tmp_path / "b", [[0, 1], [1, 2], [1, 1], [3, 1.5], [1, 2]])
    array = diff(longhaul_fake, tmp_path / "a", tmp_path / "b")["arrays"]["embeddings"]
    assert array["no_direction"] == 1 and array["not_finite"] == 1
    assert array["vectors"] == 4 and array["same_bits"] == 2
    assert array["cosine"]["distance"]["greatest"] == pytest.approx(
        cosine_distances(np.array([[3, 1.0]]), np.array([[3, 1.5]]))[0])


def test_records_in_another_order_are_joined_by_id(longhaul_fake, tmp_path):
    chance = random.Random(3)
    ids = [f"r{i}" for i in range(60)]
    vectors = np.random.default_rng(1).normal(size=(60, 6)).astype("<f4")
    sequences = [f"S{i}" for i in range(60)]
    ids[10] = ids[20] = "twice"  # other sequences
    ids[30] = ids[31] = "same"
    sequences[31] = sequences[30]
    vectors[31] = vectors[30]
    order = list(range(60))
    chance.shuffle(order)
    order = [i for i in order if i != 5]  # r5 is only in A
    pick = lambda values: [values[i] for i in order]
    ids_b, sequences_b, vectors_b = pick(ids), pick(sequences), np.array(pick(vectors))
    sequences_b[order.index(7)] = "other"
    sequences_b[order.index(20)] = "other too"
    statuses_b = ["ok"] * 59
    statuses_b[order.index(8)] = "rejected"
    vectors_b[order.index(9)] += 0.5
    make_run(tmp_path / "a", vectors, ids=ids, sequences=sequences)
    make_run(tmp_path / "b", [*vectors_b, vectors[0]], ids=[*ids_b, "new"],
             sequences=[*sequences_b, "new"], statuses=[*statuses_b, "ok"])
    told = diff(longhaul_fake, tmp_path / "a", tmp_path / "b")
    records = told["records"]
    assert records["joined_by"] == "id" and records["in_both"] == 57
    assert records["other_content"] == {"count": 1, "first": [{"row": 7, "id": "r7"}]}
    assert records["only_a"] == {"count": 2, "first": [{"row": 5, "id": "r5"},
                                                       {"row": 20, "id": "twice"}]}
    assert [e["id"] for e in records["only_b"]["first"]] == ["twice", "new"]
    assert records["repeated_a"] == {"count": 1, "first": [{"row": 20, "id": "twice"}]}
    assert records["repeated_b"]["first"] == [{"row": order.index(20), "id": "twice"}]
    assert records["status_changes"] == [{"count": 1, "first": [{"row": 8, "id": "r8"}],
                                          "a": "ok", "b": "rejected"}]
    array = told["arrays"]["embeddings"]
    assert array["vectors"] == 56 and array["same_bits"] == 55
    assert [(e["row_a"], e["row_b"]) for e in array["worst"]] == [(9, order.index(9))]
    text = longhaul_fake("diff", tmp_path / "a", tmp_path / "b").out
    for part in ("joined by id", "only in A", "twice", "ok in A, rejected in B"):
        assert part in text, text


@pytest.fixture(scope="module")
def job(longhaul_fake, tmp_path_factory):
    folder = tmp_path_factory.mktemp("diff")
    job = Job(longhaul_fake, folder, 300)
    job.reference()
    return job


def reference(job):
    return job.folder / "reference"


def test_an_output_is_equal_to_itself_and_to_a_run_with_other_threads(longhaul_fake, job, tmp_path):
    options = ["--window", 64, "--threads", 2, "--batch-size", 3, "--workers", 2, "-q"]
    other = longhaul_fake("embed", job.model, job.input, "-o", tmp_path / "b", *options)
    assert other.code == 3, other
    for other in (reference(job), tmp_path / "b"):
        told = diff(longhaul_fake, reference(job), other)
        array = told["arrays"]["embeddings"]
        assert told["equal"] and told["verdict"] == "the same bits"
        assert array["vectors"] == array["same_bits"] == np.isfinite(
            np.load(reference(job) / "embeddings.npy")).all(1).sum()
        assert told["apart"]["settings"] == {}
    text = longhaul_fake("diff", reference(job), tmp_path / "b")
    assert text.out.endswith("the same bits\n") and text.err == "", text


def test_outputs_of_other_settings(longhaul_fake, job, tmp_path):
    half = tmp_path / "half"
    job.finish(half, "--output-dtype", "fp16")
    told = diff(longhaul_fake, reference(job), half)
    assert told["apart"]["settings"] == {"output-dtype": ["fp32", "fp16"]}
    full = np.load(reference(job) / "embeddings.npy").astype(float)
    rounded = np.load(half / "embeddings.npy").astype(float)
    assert told["arrays"]["embeddings"]["greatest_difference"] == np.nanmax(np.abs(full - rounded))
    assert diff(longhaul_fake, reference(job), half, "--tolerance", 1e-3)["equal"]
    token = tmp_path / "token"
    assert job.run_fake(*job.arguments(token, "--unknown", "token")).code == 3
    changes = diff(longhaul_fake, reference(job), token)["records"]["status_changes"]
    assert [(c["a"], c["b"]) for c in changes] == [("rejected", "ok")]
    assert changes[0]["count"] == len([r for r in range(300) if r % 23 == 7])


def test_outputs_of_other_models(longhaul_fake, job, tmp_path):
    other = Job(longhaul_fake, tmp_path, 300, note="another model")
    shutil.copy(job.input, other.input)
    other.finish(tmp_path / "b")
    told = diff(longhaul_fake, reference(job), tmp_path / "b")
    assert told["equal"] and "sha256" in told["apart"]["model"]
    assert "model_sha256" in told["apart"]["settings"]
    text = longhaul_fake("diff", reference(job), tmp_path / "b").out
    assert "model of A" in text and "model of B" in text


def test_an_output_that_is_not_finished(longhaul_fake, job, tmp_path):
    slow = Job(longhaul_fake, tmp_path, 300, rate=150)
    shutil.copy(job.input, slow.input)
    out = tmp_path / "out"
    process = slow.start(out)
    while committed(out)[0] < 64:
        assert process.poll() is None
    process.terminate()
    process.wait()
    done = committed(out)[0]
    assert 64 <= done < 300
    told = diff(longhaul_fake, reference(job), out)
    assert told["records"]["in_both"] == done and told["records"]["only_a"]["count"] == 300 - done
    array = told["arrays"]["embeddings"]
    assert array["same_bits"] == array["vectors"] > 0
    text = longhaul_fake("diff", reference(job), out)
    assert text.code == 1 and "not finished" in text.out
    slow.finish(out)
    assert longhaul_fake("diff", reference(job), out).code == 0


def test_merges_of_other_numbers_of_shards(longhaul_fake, job, tmp_path):
    for count in (2, 3):
        for index in range(1, count + 1):
            shard = longhaul_fake(*job.arguments(tmp_path / str(count), "--shard",
                                                 f"{index}/{count}"))
            assert shard.code == 0, shard
    shards = [tmp_path / f"{count}/shards/1-of-{count}" for count in (2, 3)]
    told = diff(longhaul_fake, *shards)
    assert told["records"]["joined_by"] == "id" and told["records"]["only_a"]["count"] > 0
    assert told["arrays"]["embeddings"]["same_bits"] == told["arrays"]["embeddings"]["vectors"] > 0
    for count in (2, 3):
        assert longhaul_fake("merge", tmp_path / str(count)).code == 3
    assert longhaul_fake("diff", tmp_path / "2", tmp_path / "3").code == 0
    assert longhaul_fake("diff", tmp_path / "2", reference(job)).code == 0


def test_a_damaged_copy(longhaul_fake, job, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(reference(job), copy)
    vectors = np.load(copy / "embeddings.npy", mmap_mode="r+")
    vectors[100, 3] += 1
    vectors.flush()
    for pair in ((reference(job), copy), (copy, reference(job))):
        result = longhaul_fake("diff", *pair)
        assert result.code == 65 and f"{copy} is damaged: 1 rows" in result.err, result
        assert "row 100 (r100)" in result.err and "damaged rows in" in result.out
    told = json.loads(longhaul_fake("diff", reference(job), copy, "--json").out)
    assert told["records"]["damaged_b"] == {"count": 1, "first": [{"row": 100, "id": "r100"}]}
    assert told["arrays"]["embeddings"]["same_bits"] == told["arrays"]["embeddings"]["vectors"]
    for name in ("embeddings.npy", "records.csv"):
        cut = tmp_path / name
        shutil.copytree(reference(job), cut)
        os.truncate(cut / name, (cut / name).stat().st_size - 40)
        result = longhaul_fake("diff", reference(job), cut)
        assert result.code == 65 and name in result.err and "longhaul verify" in result.err, result


def test_every_array_that_both_have_is_compared(longhaul_fake, tmp_path):
    outs = {}
    for name, model in {"tokens": {"tokens": True, "layers": ["early"]},
                        "layers": {"layers": ["early", "late"]}}.items():
        (tmp_path / name).mkdir()
        job = Job(longhaul_fake, tmp_path / name, 80, **model)
        job.finish(tmp_path / name / "out")
        outs[name] = tmp_path / name / "out"
    told = diff(longhaul_fake, outs["tokens"], outs["layers"])
    assert list(told["arrays"]) == ["embeddings", "embeddings.early"]
    assert told["arrays_only_a"] == ["tokens"] and told["arrays_only_b"] == ["embeddings.late"]
    assert not told["equal"] and all(a["equal"] for a in told["arrays"].values())
    assert diff(longhaul_fake, outs["tokens"], outs["layers"], "--array", "embeddings", "--array",
                "embeddings.early")["equal"]
    told = diff(longhaul_fake, outs["tokens"], outs["tokens"])
    offsets = np.load(outs["tokens"] / "token_offsets.npy")
    records = (outs["tokens"] / "records.csv").read_text().splitlines()[1:]
    ok = sum(offsets[i + 1] - offsets[i] for i, line in enumerate(records) if ",ok," in line)
    assert told["equal"] and told["arrays"]["tokens"]["vectors"] == ok > 80


def test_residues_that_are_apart_are_named(longhaul_fake, tmp_path):
    outs = []
    for dtype in ("fp32", "fp16"):
        (tmp_path / dtype).mkdir()
        job = Job(longhaul_fake, tmp_path / dtype, 80, tokens=True)
        job.finish(tmp_path / dtype / "out", "--tokens", "--tokens-dtype", dtype)
        outs.append(tmp_path / dtype / "out")
    array = diff(longhaul_fake, *outs)["arrays"]["tokens"]
    a, b = (np.load(out / "tokens.npy").astype(float) for out in outs)
    used = np.isfinite(a).all(1)
    assert array["vectors"] == used.sum() and array["neighbours"] is None
    apart = cosine_distances(a[used], b[used])
    assert array["cosine"]["distance"]["greatest"] == pytest.approx(apart.max(), rel=1e-6)
    offsets = np.load(outs[0] / "token_offsets.npy")
    first = array["worst"][0]
    centred = cosine_distances(a[used] - a[used].mean(0), b[used] - b[used].mean(0))
    assert offsets[first["row_a"]] + first["residue"] == np.flatnonzero(used)[centred.argmax()]


def test_its_text_fits_and_is_all_there(longhaul_fake, job, tmp_path):
    half = tmp_path / "half"
    job.finish(half, "--output-dtype", "fp16", "--max-length", 90)
    result = longhaul_fake("diff", reference(job), half, env={"COLUMNS": "80"})
    assert result.code == 1, result
    for line in result.out.splitlines():
        assert len(line) <= 80 or str(tmp_path) in line or str(job.folder) in line, line
    for part in ("output-dtype: fp32 | fp16", "max-length: ", "less the mean", "nearest neighbours",
                 "farthest apart", "not the same: "):
        assert part in result.out, result
    for line in longhaul_fake("diff", reference(job), half, env={"COLUMNS": "50"}).out.splitlines():
        assert len(line) <= 50 or "/" in line or len(line.split()) < 4, line


def test_copies_without_a_journal(longhaul_fake, job, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("embeddings.npy", "records.csv"):
        shutil.copy(reference(job) / name, copy)
    assert diff(longhaul_fake, reference(job), copy)["equal"]
    vectors = np.load(copy / "embeddings.npy")
    vectors[0] *= 2
    np.save(copy / "embeddings.npy", vectors)
    assert not diff(longhaul_fake, reference(job), copy)["equal"]


def test_of_another_precision(longhaul, tiny_model, tmp_path):
    """A real encoder at two precisions: what is told is what numpy finds in the files."""
    chance = random.Random(5)
    lines = ["id,sequence"] + [f"r{i}," + "".join(chance.choices("ACDEFGHIKLMNPQRSTVWY", k=60))
                               for i in range(64)]
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n")
    for dtype in ("fp32", "bf16"):
        run = longhaul("embed", tiny_model, tmp_path / "in.csv", "-o", tmp_path / dtype, "-q",
                       "--dtype", dtype)
        assert run.code == 0, run
    told = diff(longhaul, tmp_path / "fp32", tmp_path / "bf16")
    assert told["apart"]["settings"] == {"dtype": ["fp32", "bf16"]}
    a, b = (np.load(tmp_path / d / "embeddings.npy").astype(float) for d in ("fp32", "bf16"))
    assert told["arrays"]["embeddings"]["cosine"]["distance"]["greatest"] == pytest.approx(
        cosine_distances(a, b).max(), rel=1e-6)
    assert diff(longhaul, tmp_path / "fp32", tmp_path / "bf16", "--tolerance", 1)["equal"]


@pytest.mark.skipif(not LONG, reason="a million rows: scripts/test --long")
@pytest.mark.parametrize("order", ["row", "id"])
def test_a_million_rows_take_little_memory(longhaul_fake, tmp_path, order):
    rows = 1_000_000
    lines = [f"{i},r{i},in.csv,ok,100,false,0,{i:032x}," for i in range(1, rows + 1)]
    header = "row,id,source,status,length,truncated,substituted,hash,duplicate_of"
    chance = np.random.default_rng(1)
    a = chance.normal(size=(rows, 64)).astype("<f4")
    shuffled = np.arange(rows) if order == "row" else chance.permutation(rows)
    for name, which in (("a", np.arange(rows)), ("b", shuffled)):
        out = tmp_path / name
        out.mkdir()
        np.save(out / "embeddings.npy", (a if name == "a" else a * np.float32(1.001))[which])
        with open(out / "records.csv", "w") as file:
            file.write(header + "\n")
            for place, i in enumerate(which):
                file.write(f"{place},{lines[i].split(',', 1)[1]}\n")
    done = run_measured(longhaul_fake.path, "diff", tmp_path / "a", tmp_path / "b", "--json")
    told = json.loads(done.out)
    print(done)
    assert done.code == 1 and told["records"]["joined_by"] == order, done
    assert told["records"]["in_both"] == told["arrays"]["embeddings"]["vectors"] == rows
    assert told["arrays"]["embeddings"]["cosine"]["least"] > 1 - 1e-6
    assert done.peak_rss < 200 * MIB, done
