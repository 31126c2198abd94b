"""scripts/reproduce_polyreactivity on generated sets in the layout of the public ones."""

import json
import pathlib
import random
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "reproduce_polyreactivity"


def sequences(seed, rows):
    chance = random.Random(seed)
    return ["EVQLVESGGG" + "".join(chance.choices("ACDEFGHIKLMNPQRSTVWY", k=chance.randint(20, 60)))
            for _ in range(rows)]


def write_set(path, columns, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([columns, *rows]) + "\n")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    write_set(folder / "boughter/VH_only_boughter_training.csv", "sequence,label",
              [f"{s},{i % 2}.0" for i, s in enumerate(sequences(1, 60))])
    write_set(folder / "jain/VH_only_jain_86_p5e_s2.csv", "id,vh_sequence,label",
              [f"j{i},{s},{i % 3 // 2}.0" for i, s in enumerate(sequences(2, 20))])
    write_set(folder / "shehata/VH_only_shehata.csv", "id,sequence,label",
              [f"s{i},{s},{i % 4 // 3}" for i, s in enumerate(sequences(3, 30))])
    write_set(folder / "harvey/harvey_hf_test.csv", "seq,CDR1_nogaps,label",
              [f"{s},A,{i % 2}" for i, s in enumerate(sequences(4, 40))])
    return folder


@pytest.fixture
def reproduce(longhaul_fake, tmp_path, data):
    model = tmp_path / "fake.json"
    model.write_text(json.dumps({"fake": True, "dimension": 8}))

    def run():
        return subprocess.run([sys.executable, SCRIPT, model, tmp_path / "out", data,
                               "--longhaul", longhaul_fake.path],
                              capture_output=True, text=True, timeout=300)
    return run


def table_rows(text):
    return [[cell.strip() for cell in line.strip("|\n").split("|")]
            for line in text.splitlines() if line.startswith("|")]


def test_one_command_gives_table_metrics_and_provenance(reproduce, tmp_path, data):
    done = reproduce()
    assert done.returncode == 0, done.stderr
    out = tmp_path / "out"
    assert (out / "table.md").read_text() == done.stdout
    rows = {(row[0], row[2]): row for row in table_rows(done.stdout)[2:]}
    assert rows["Boughter, 10-fold, another file", "0.5"][1] == "60"
    for key, name, threshold, count in [("jain", "Jain (P5e-S2), another file", "0.5", 20),
                                        ("shehata", "Shehata, another file", "0.5495", 30)]:
        metrics = json.loads((out / "metrics" / f"{key}.json").read_text())
        at, = (at for at in metrics["thresholds"] if at["threshold"] == float(threshold))
        row = rows[name, threshold]
        assert metrics["rows"] == count and row[1] == str(count)
        assert json.loads(row[4]) == at["confusion"]
        assert row[3].startswith(f"{at['accuracy']:.4f}")
    provenance = json.loads((out / "provenance.json").read_text())
    assert len(provenance["model"]["sha256"]) == 64 and len(provenance["inputs"]) == 4
    assert (out / "head.npz").exists() and (out / "head.npz.json").exists()


def test_a_subset_of_harvey_is_never_called_harvey(reproduce, data):
    def names():
        done = reproduce()
        assert done.returncode == 0, done.stderr
        return [row[0] for row in table_rows(done.stdout) if "arvey" in row[0]], done.stdout
    found, table = names()
    assert found == ["Test split of Harvey, another file"] * 2 and "61.7" not in table and "0.617" not in table
    # Also when a file has the name of the whole set, but not its rows.
    rows = "\n".join(f"{s},{i % 2}" for i, s in enumerate(sequences(5, 25)))
    (data / "harvey/VHH_only_harvey.csv").write_text("sequence,label\n" + rows + "\n")
    found, table = names()
    assert found == ["Part of Harvey (141,021 in all)"] * 2 and "0.617" not in table


def test_figures_stand_only_beside_the_set_they_are_of(reproduce, tmp_path, data):
    done = reproduce()
    assert done.returncode == 0, done.stderr
    rows = table_rows(done.stdout)[2:]
    assert rows and all(row[6:8] == ["", ""] and "another file" in row[0] for row in rows)
    for name in ("Boughter", "Jain (P5e-S2)", "Shehata", "Test split of Harvey"):
        assert f"is not the set that is known as {name} " in done.stderr
    provenance = json.loads((tmp_path / "out/provenance.json").read_text())
    assert provenance["not_the_known_set"] == list(provenance["inputs"])


def test_the_public_files_are_known(shared_data, data, reproduce):
    for folder in ("boughter", "jain", "shehata"):
        for path in (data / folder).iterdir():
            path.write_bytes((shared_data / folder / path.name).read_bytes())
    done = reproduce()
    assert done.returncode == 0, done.stderr
    rows = {row[0]: row for row in table_rows(done.stdout)[2:]}
    assert rows["Boughter, 10-fold"][6].startswith("0.6662") and rows["Jain (P5e-S2)"][6:8] == [
        "0.6628 [[40,19],[10,17]]", "0.69"]
    assert rows["Shehata"][6] and "Test split of Harvey, another file" in rows
    assert done.stderr.count("is not the set that is known as") == 1


def test_the_same_command_again_embeds_nothing_and_gives_the_same_table(reproduce, tmp_path):
    first = reproduce()
    files = {path: path.stat().st_mtime_ns
             for path in (tmp_path / "out/embeddings").rglob("embeddings.npy")}
    second = reproduce()
    assert second.returncode == 0 and second.stdout == first.stdout
    assert len(files) == 4
    assert all(path.stat().st_mtime_ns == time for path, time in files.items())


def test_a_missing_set_is_named_before_anything_is_done(reproduce, tmp_path, data):
    (data / "jain/VH_only_jain_86_p5e_s2.csv").unlink()
    done = reproduce()
    assert done.returncode == 74 and "VH_only_jain_86_p5e_s2.csv" in done.stderr
    assert not (tmp_path / "out").exists()
