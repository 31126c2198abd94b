"""A remedy is a promise: messages about where a command's own files may lie, and about numbers that
its flags take, followed."""

import shutil

import pytest

from remedies import Trial, follows

APPS = "apps/longhaul/"


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


@follows("lib/base/own_file.cpp", "is there already, and is no ")
def test_what_others_wrote_is_not_replaced(t):
    table = t.input.read_bytes()
    remedy = "name another file, or remove it"
    line = t.fails(2, remedy, *t.embed("--metrics-file", t.input))
    assert "is no metrics file of longhaul" in line and t.input.read_bytes() == table
    metrics = t.folder / "m.prom"
    t.works(*t.embed("--metrics-file", metrics))
    t.works(*t.embed("--metrics-file", metrics))  # its own it replaces
    assert metrics.read_text().startswith("# HELP longhaul_")


@follows("lib/score/head.cpp", "is there already, and is no head of longhaul probe fit")
def test_probes_replace_their_own_files_alone(t):
    labels = t.write("labels.csv", "id,label\n" + "".join(f"r{i},{i % 2}\n" for i in range(200)))
    rows = "".join(f"r{i},{'ACDEFGHIKL'[i % 10] * (5 + i % 7)}\n" for i in range(60))
    t.input.write_text("id,sequence\n" + rows)
    t.works(*t.embed())
    records = (t.out / "records.csv").read_bytes()
    head, foreign = t.folder / "h.npz", t.write("mine.npz", "not a head")
    with_labels = ["--labels", labels]
    fit = ["probe", "fit", t.out, *with_labels, "-o"]
    t.fails(2, "name another with --output, or remove it", *fit, foreign)
    assert foreign.read_text() == "not a head"
    foreign.unlink()
    t.works(*fit, foreign)
    t.works(*fit, head)
    t.works(*fit, head)
    remedy = "name another file, or remove it"
    for command in (["probe", "predict", head, t.out, "-o"],
                    ["probe", "cv", t.out, *with_labels, "--folds", 3, "-o"]):
        line = t.fails(2, remedy, *command, t.out / "records.csv")
        assert "is no file of predictions" in line
        assert (t.out / "records.csv").read_bytes() == records
        scores = t.folder / "scores.csv"
        t.works(*command, scores)
        t.works(*command, scores)
    t.works("verify", t.out)


@follows(APPS + "path_checks.cpp", "lies in the output directory", "lies in the input folder")
def test_files_that_lie_in_one_another(t):
    t.fails(2, "name a file beside it", *t.embed("--log-file", t.out / "log.txt"))
    t.fails(2, "name a file beside it", *t.embed("--metrics-file", t.out / "m.prom"))
    assert not t.out.exists()
    folder = t.folder / "in"
    folder.mkdir()
    shutil.copy(t.input, folder / "a.csv")
    inside = folder / "out"
    remedy = "name an --output outside of that folder"
    for command in ("embed", "plan"):
        t.fails(2, remedy, command, t.model, folder, "-o", inside)
    link = t.folder / "link"
    link.symlink_to(folder)
    t.fails(2, remedy, "embed", t.model, folder, "-o", link / "out")
    assert not inside.exists()
    command = ["embed", t.model, folder, "-o", t.out, "--log-file", t.folder / "log.txt",
               "--metrics-file", t.folder / "m.prom"]
    t.works(*command)
    t.works(*command)


@follows("lib/store/output_reader.cpp", "is not a directory")
@follows("lib/store/verify.cpp", "is not a directory")
def test_what_is_no_output(t):
    remedy = "name the --output of a longhaul embed run"
    t.works(*t.embed())
    for command in (["verify"], ["diff", t.out]):
        for path in (t.folder / "none", t.input):
            t.fails(74, remedy, *command, path)
    t.works("verify", t.out)
    t.works("diff", t.out, t.out)


@follows("lib/input/open_input.cpp", "this model takes sequences")
def test_images_for_a_model_of_sequences(t):
    pictures = t.folder / "pictures"
    pictures.mkdir()
    (pictures / "ACD.jpg").write_bytes(b"no picture")
    t.fails(2, "leave out --format", "embed", t.model, pictures, "-o", t.out, "--format", "images",
            "--gaps", "remove", "--unknown", "token")
    assert not t.out.exists()
    t.fails(2, "leave out --format", *t.embed("--format", "images"))
    t.works(*t.embed())


@follows("lib/score/run_directory.cpp", "has no run.json", "fault->what")
def test_a_probe_reads_what_was_written(t):
    t.input.write_text("id,sequence,label\n" + "".join(
        f"r{i},{'ACDEFGHIKL'[i % 10] * (5 + i % 7)},{i % 2}\n" for i in range(60)))
    t.works(*t.embed("--keep-column", "label"))
    fit = ["probe", "fit", t.out, "-o", t.folder / "h.npz"]
    copy = t.folder / "copy"
    shutil.copytree(t.out, copy)
    restored = "restore it from a copy, or embed again with --overwrite"
    (t.out / "run.json").unlink()
    t.fails(65, restored, *fit)
    shutil.copy(copy / "run.json", t.out)
    t.works(*fit)
    with open(t.out / "embeddings.npy", "r+b") as file:
        file.seek(-3, 2)
        byte = file.read(1)
        file.seek(-3, 2)
        file.write(bytes([byte[0] ^ 1]))
    line = t.fails(65, "or embed again with --overwrite", *fit)
    assert "row 59 does not match its checksum" in line
    t.fails(65, "or embed again with --overwrite", "probe", "cv", t.out, "--folds", 3)
    t.fails(65, "", "verify", t.out)
    t.works(*t.embed("--keep-column", "label", "--overwrite"))
    t.works(*fit)


@pytest.mark.parametrize("words, allowed", [
    (["verify", "OUT", "--recompute", "-1"], "a whole number from 0 on"),
    (["verify", "OUT", "--seed", "x"], "a whole number from 0 on"),
    (["diff", "OUT", "OUT", "--tolerance", "-1"], "a number from 0 on"),
    (["diff", "OUT", "OUT", "--tolerance", "nan"], "a number from 0 on"),
    (["diff", "OUT", "OUT", "--worst", "1e9"], "a whole number from 0 to 10,000"),
    (["plan", "m", "i", "--shards", "0"], "a whole number from 1 to 10,000"),
    (["probe", "cv", "OUT", "--seed", "-3"], "a whole number from 0 to 4,294,967,295"),
    (["probe", "cv", "OUT", "-C", "much"], "a number"),
    (["push", "OUT", "--to", "postgresql://h/d", "--batch-rows", "-1"], "a whole number from 0 on"),
    (["export", "OUT", "--to", "parquet", "--rows-per-file", "-1"], "a whole number from 0 on"),
    (["neighbours", "OUT", "-k", "0"], "a whole number from 1 to 100,000"),
    (["bench", "m", "--records", "-5"], "a whole number from 1 to 10,000,000"),
])
def test_a_number_that_a_flag_does_not_take_says_what_it_takes(t, words, allowed):
    line = t.fails(2, "", *words)
    assert f"'{words[-1]}' is not {allowed}" in line, line


@pytest.mark.parametrize("name", ["run.json", "checksums.npy", "embeddings.npy", "records.csv",
                                  "rejects.csv"])
def test_a_file_that_is_missing_from_an_output_is_named(t, name):
    t.works(*t.embed())
    kept = (t.out / name).read_bytes()
    (t.out / name).unlink()
    for command in (["export", t.out, "--to", "parquet", "-o", t.folder / "v.parquet"],
                    ["neighbours", t.out, "-k", 2, "-o", t.folder / "n.csv"]):
        line = t.fails(65, "restore it from a copy or embed again with --overwrite", *command)
        assert f"{name} is missing" in line, line
    (t.out / name).write_bytes(kept)
    t.works("neighbours", t.out, "-k", 2, "-o", t.folder / "n.csv")
