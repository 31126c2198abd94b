"""--reuse and --update: nights of an input that changes, of sequences and of images."""

import json
import os
import random
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from conftest import clean_environment
from fake_run import RESIDUES, contents
from image_files import picture
from PIL import Image

IMAGE_OPTIONS = ("-q", "-b", "4", "--window", "8", "--commit-every", "0", "--threads", "2")


def report(out):
    return json.loads((out / "run.json").read_text())


def reuse(out):
    counts = report(out)["counts"]["reuse"]
    return {name: counts[name] for name in ("reused", "new", "changed", "removed")}


def computed(out):
    """Records that the encoder was given, over all sessions that ended by themselves."""
    return sum(s["timings"]["records"] for s in report(out)["sessions"] if "timings" in s)


def counts(reused, new, changed, removed):
    return {"reused": reused, "new": new, "changed": changed, "removed": removed}


class Nights:
    """Records by night: some come, some go, some have another sequence, and their order changes."""

    def __init__(self, folder, nights=3, records=240):
        chance = random.Random(11)
        self.folder, self.inputs, self.expected = folder, [], []
        self.model = folder / "model.json"
        self.model.write_text(json.dumps({"fake": True, "dimension": 16, "part_tokens": 256,
                                          "rows_per_second": 4000}))
        sequence = lambda: "".join(chance.choices(RESIDUES, k=chance.randrange(20, 140)))
        rows = {f"r{i}": sequence() for i in range(records)}
        for night in range(nights):
            new, changed, removed = [], [], []
            if night > 0:
                removed = chance.sample(sorted(rows), 9)
                for name in removed:
                    del rows[name]
                changed = chance.sample(sorted(rows), 5)
                rows |= {name: sequence() for name in changed}
                new = [f"night{night}-{i}" for i in range(17)]
                rows |= {name: sequence() for name in new}
            names = list(rows)
            chance.shuffle(names)
            path = folder / f"night{night}.csv"
            path.write_text("id,sequence\n" + "".join(f"{n},{rows[n]}\n" for n in names))
            self.inputs.append(path)
            self.expected.append(counts(len(rows) - len(new) - len(changed), len(new), len(changed),
                                        len(removed)))

    def arguments(self, night, out, *more):
        return ["embed", self.model, self.inputs[night], "-o", out, "-q", "--window", 64,
                "--commit-every", 0, "--threads", 1, *more]

    def fresh(self, program, night):
        out = self.folder / f"fresh{night}"
        if not out.exists():
            assert program(*self.arguments(night, out)).code == 0
        return contents(out)


@pytest.fixture
def nights(folder):
    return Nights(folder)


def killed_until_done(program, arguments, most_seconds, check=lambda: None):
    """Gives the command again and again, killed at random moments; how many kills came in time."""
    chance = random.Random(5)
    kills = 0
    for attempt in range(200):
        run = subprocess.Popen([str(program.path), *map(str, arguments)], env=clean_environment(),
                               stderr=subprocess.PIPE, text=True)
        try:
            _, error = run.communicate(timeout=chance.uniform(0, most_seconds) if kills < 12 else 600)
            assert run.returncode in (0, 3), error
            return kills
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.communicate()
            kills += 1
        check()
    raise AssertionError("it never ended")


def test_three_nights_of_sequences_each_from_the_night_before(longhaul_fake, nights):
    older = ()
    for night in range(3):
        out = nights.folder / f"out{night}"
        result = longhaul_fake(*nights.arguments(night, out, *older))
        assert result.code == 0, result
        assert contents(out) == nights.fresh(longhaul_fake, night)
        if night > 0:
            expected = nights.expected[night]
            assert reuse(out) == expected
            assert computed(out) == expected["new"] + expected["changed"]
            assert report(out)["counts"]["reuse"]["from"] == {str(older[1]): expected["reused"]}
        assert report(out)["bits"] == "exact"
        assert longhaul_fake("verify", out, "--recompute", 20).code == 0
        older = ("--reuse", out)


def test_the_closing_line_tells_what_came_from_where(longhaul_fake, nights):
    first, second = nights.folder / "first", nights.folder / "second"
    assert longhaul_fake(*nights.arguments(0, first)).code == 0
    arguments = [a for a in nights.arguments(1, second, "--reuse", first) if a != "-q"]
    result = longhaul_fake(*arguments)
    told = nights.expected[1]
    line = (f"; {told['reused']} reused, {told['new']} new, {told['changed']} changed, "
            f"{told['removed']} removed")
    assert result.code == 0 and line in result.err, result


def test_kills_at_random_times_leave_no_trace(longhaul_fake, nights):
    first, second = nights.folder / "first", nights.folder / "second"
    assert longhaul_fake(*nights.arguments(0, first)).code == 0
    before = contents(first)
    killed_until_done(longhaul_fake, nights.arguments(1, second, "--reuse", first), 0.25)
    assert contents(second) == nights.fresh(longhaul_fake, 1)
    assert reuse(second) == nights.expected[1]
    assert contents(first) == before


def test_nightly_updates_of_one_output_survive_kills(longhaul_fake, nights):
    out = nights.folder / "out"
    assert longhaul_fake(*nights.arguments(0, out, "--update")).code == 0
    (out / "notes.txt").write_text("somebody's")
    for night in (1, 2):
        old, new = contents(out), nights.fresh(longhaul_fake, night)

        def whole():
            assert contents(out) in (old, new)

        killed_until_done(longhaul_fake, nights.arguments(night, out, "--update"), 0.25, whole)
        assert contents(out) == new
        assert reuse(out) == nights.expected[night]
        assert report(out)["generation"] == night + 1
        assert (out / "notes.txt").read_text() == "somebody's"
        assert not (nights.folder / "out.update").exists()
        assert longhaul_fake("verify", out).code == 0
    assert longhaul_fake(*nights.arguments(2, out, "--update")).code == 0
    assert report(out)["generation"] == 3


def test_a_stopped_update_begins_anew_for_another_input(longhaul_fake, nights):
    out = nights.folder / "out"
    assert longhaul_fake(*nights.arguments(0, out)).code == 0
    stopped = longhaul_fake(*nights.arguments(1, out, "--update", "--time-limit", "1ms"))
    assert stopped.code == 75, stopped
    assert longhaul_fake(*nights.arguments(2, out, "--update")).code == 0
    assert contents(out) == nights.fresh(longhaul_fake, 2)


def test_an_input_that_grew_names_update_as_a_way_on(longhaul_fake, nights):
    out = nights.folder / "out"
    assert longhaul_fake(*nights.arguments(0, out)).code == 0
    refused = longhaul_fake(*nights.arguments(1, out))
    assert refused.code == 73 and "or give --update" in refused.err, refused
    assert longhaul_fake(*nights.arguments(1, out, "--update")).code == 0
    assert contents(out) == nights.fresh(longhaul_fake, 1)


def test_the_summary_is_of_the_output_and_not_of_where_it_was_made(longhaul_fake, nights):
    out = nights.folder / "out"
    assert longhaul_fake(*nights.arguments(0, out)).code == 0
    result = longhaul_fake(*nights.arguments(1, out, "--update", "--json"))
    summary = json.loads(result.out)
    assert result.code == 0 and summary["state"] == "complete" and summary["generation"] == 2
    assert summary == report(out)


def test_kept_columns_are_those_of_the_input_now(longhaul_fake, folder):
    nights = Nights(folder, nights=2, records=40)
    first, second = folder / "first", folder / "second"
    assert longhaul_fake(*nights.arguments(0, first)).code == 0
    lines = nights.inputs[1].read_text().splitlines()
    nights.inputs[1].write_text("\n".join([lines[0] + ",label", *(
        f"{line},{i}" for i, line in enumerate(lines[1:]))]) + "\n")
    keep = ("--keep-column", "label")
    assert longhaul_fake(*nights.arguments(1, second, "--reuse", first, *keep)).code == 0
    assert longhaul_fake(*nights.arguments(1, folder / "plain", *keep)).code == 0
    assert contents(second) == contents(folder / "plain")
    assert reuse(second) == nights.expected[1]


def test_a_column_that_an_update_loses_is_named(longhaul_fake, folder):
    nights = Nights(folder, nights=2, records=40)
    out, keep = folder / "out", ("--keep-column", "sequence")
    assert longhaul_fake(*nights.arguments(0, out, *keep)).code == 0
    kept = longhaul_fake(*nights.arguments(0, out, "--update", *keep))
    assert kept.code == 0 and "loses" not in kept.err, kept
    lost = longhaul_fake(*nights.arguments(1, out, "--update"))
    assert lost.code == 0 and "loses the column sequence" in lost.err, lost


def test_an_output_that_was_merged_from_shards_serves(longhaul_fake, nights):
    first, second = nights.folder / "first", nights.folder / "second"
    assert longhaul_fake(*nights.arguments(0, first, "--processes", 2)).code == 0
    assert longhaul_fake(*nights.arguments(1, second, "--reuse", first)).code == 0
    assert contents(second) == nights.fresh(longhaul_fake, 1)
    assert reuse(second) == nights.expected[1]


def test_a_retried_output_serves_its_old_settings_and_its_new_ones(longhaul_fake, folder):
    nights = Nights(folder, nights=1, records=40)
    first = folder / "first"
    with open(nights.inputs[0], "a") as file:
        file.write("bad,MKBBL\n")
    assert longhaul_fake(*nights.arguments(0, first)).code == 3
    retry = nights.arguments(0, first, "--retry-rejects", "--unknown", "token")
    assert longhaul_fake(*retry).code == 0
    for name, more, reused in (("reject", (), 40), ("token", ("--unknown", "token"), 41)):
        out = folder / name
        longhaul_fake(*nights.arguments(0, out, "--reuse", first, *more))
        assert reuse(out)["reused"] == reused
        longhaul_fake(*nights.arguments(0, folder / f"{name}-fresh", *more))
        assert contents(out) == contents(folder / f"{name}-fresh")


def test_the_real_encoder_computes_the_new_ones_to_the_same_bits(longhaul, tiny_model, folder):
    nights = Nights(folder, nights=2, records=60)
    nights.model = tiny_model
    more = ("--tokens",)
    assert longhaul(*nights.arguments(0, folder / "first", *more)).code == 0
    second, fresh = folder / "second", folder / "fresh"
    result = longhaul(*nights.arguments(1, second, "--reuse", folder / "first", *more))
    assert result.code == 0, result
    assert longhaul(*nights.arguments(1, fresh, *more)).code == 0
    assert contents(second) == contents(fresh)
    for name in ("tokens.npy", "token_offsets.npy"):
        assert (second / name).read_bytes() == (fresh / name).read_bytes()
    assert reuse(second) == nights.expected[1]
    assert computed(second) == 22


# Images


@pytest.fixture
def image_model(folder):
    """The fake encoder with a card of images, whose bits depend on how many are computed together."""
    image = {"size": 32, "resize": 32, "interpolation": "bilinear", "antialias": True, "crop": True,
             "scale": 1 / 255, "mean": [0.5] * 3, "std": [0.25] * 3, "colour": "RGB",
             "layout": "NCHW", "exif": "ignore"}
    card = {"card": 1, "name": "fake", "modality": "image", "method": "forward",
            "inputs": [{"kind": "pixels", "dtype": "float32"}], "output": "pooled",
            "output_key": None, "image": image, "dimension": 16, "pooling": "mean",
            "normalize": "none", "golden": [],
            "source": {"weights": "none", "licence": "none", "exported_with": "none"}}
    path = folder / "images.json"
    path.write_text(json.dumps({"fake": True, "dimension": 16, "part_rows": 4, "rows_matter": True,
                                "card": card}))
    return path


def write(path, seed, size=(40, 36)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(*size, seed)).save(path)


@pytest.fixture
def images(folder):
    """40 images in two folders; the night after: two more, one gone, one other, one touched, one
    renamed, and one that is broken."""
    images = folder / "images"
    for i in range(40):
        write(images / f"{i // 20}/{i:03d}.png", i)
    return images


def next_night(images):
    write(images / "0/100.png", 100)
    write(images / "1/101.png", 101)
    (images / "0/003.png").unlink()
    write(images / "0/010.png", 110)
    os.utime(images / "1/020.png", (1, 1))
    (images / "1/025.png").rename(images / "1/025_renamed.png")
    (images / "0/102.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")


def size_of(images, *names):
    return sum((images / name).stat().st_size for name in names)


OTHERS = ["0/010.png", "0/100.png", "0/102.png", "1/020.png", "1/025_renamed.png", "1/101.png"]
COMPUTED = ["0/010.png", "0/100.png", "1/101.png"]


@pytest.mark.parametrize("by", ["time", "content"])
def test_a_night_of_images_reads_and_computes_what_is_new(longhaul_fake, image_model, images,
                                                          folder, by):
    def embed(out, *more):
        return longhaul_fake("embed", image_model, images, "-o", out, *IMAGE_OPTIONS, *more)
    first, second, fresh = folder / "first", folder / "second", folder / "fresh"
    assert embed(first).code == 0
    stamps = np.load(first / "stamps.npy")
    assert stamps.shape == (40,) and len(set(stamps)) == 40
    next_night(images)
    result = embed(second, "--reuse", first, "--reuse-by", by)
    assert result.code == 3, result
    assert embed(fresh).code == 3
    assert contents(second) == contents(fresh)
    assert (second / "stamps.npy").read_bytes() == (fresh / "stamps.npy").read_bytes()
    assert reuse(second) == counts(38, 2, 1, 2)
    assert computed(second) == 3
    prepared = report(second)["sessions"][-1]["preparing"]
    assert prepared["images"] == 3
    broken = size_of(images, "0/102.png")
    looked_at = OTHERS if by == "time" else [p.relative_to(images) for p in images.rglob("*.png")]
    assert prepared["bytes"] == size_of(images, *looked_at) + size_of(images, *COMPUTED) + broken


def test_three_nights_of_images_survive_kills(longhaul_fake, image_model, images, folder):
    out = folder / "out"
    arguments = ["embed", image_model, images, "-o", out, *IMAGE_OPTIONS, "--update"]
    assert longhaul_fake(*arguments).code == 0
    for night in (1, 2):
        if night == 1:
            next_night(images)
        else:
            write(images / "0/200.png", 200)
            (images / "0/102.png").unlink()
        fresh = folder / f"fresh{night}"
        longhaul_fake("embed", image_model, images, "-o", fresh, *IMAGE_OPTIONS)
        old, new = contents(out), contents(fresh)

        def whole():
            assert contents(out) in (old, new)

        killed_until_done(longhaul_fake, arguments, 0.4, whole)
        assert contents(out) == new
        assert reuse(out) == (counts(38, 2, 1, 2) if night == 1 else counts(41, 1, 0, 0))


def test_another_image_of_the_same_size_and_time_is_seen_by_its_content(longhaul_fake, image_model,
                                                                       folder):
    images = folder / "images"
    for i in range(4):
        path = images / f"{i}.bmp"
        write(path, i)
    first = folder / "first"
    options = ("embed", image_model, images, *IMAGE_OPTIONS, "-o")
    assert longhaul_fake(*options, first).code == 0
    before = os.stat(images / "2.bmp")
    write(images / "2.bmp", 9)
    os.utime(images / "2.bmp", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(images / "2.bmp").st_size == before.st_size
    for by, expected in (("time", counts(4, 0, 0, 0)), ("content", counts(3, 0, 1, 0))):
        out = folder / by
        assert longhaul_fake(*options, out, "--reuse", first, "--reuse-by", by).code == 0
        assert reuse(out) == expected
    assert longhaul_fake(*options, folder / "fresh").code == 0
    assert contents(folder / "content") == contents(folder / "fresh")
    # Nor is an update nothing to do.
    assert longhaul_fake(*options, first, "--update", "--reuse-by", "content").code == 0
    assert reuse(first) == counts(3, 0, 1, 0)
    assert contents(first) == contents(folder / "fresh")


def test_lost_stamps_only_cost_reading(longhaul_fake, image_model, images, folder):
    first = folder / "first"
    options = ("embed", image_model, images, *IMAGE_OPTIONS, "-o")
    assert longhaul_fake(*options, first).code == 0
    stamps = bytearray((first / "stamps.npy").read_bytes())
    stamps[200] ^= 1
    (first / "stamps.npy").write_bytes(stamps[:400])
    assert longhaul_fake(*options, folder / "cut", "--reuse", first).code == 0
    (first / "stamps.npy").unlink()
    assert longhaul_fake(*options, folder / "none", "--reuse", first).code == 0
    for name in ("cut", "none"):
        assert contents(folder / name) == contents(first)
        assert reuse(folder / name) == counts(40, 0, 0, 0)
        assert report(folder / name)["sessions"][-1]["preparing"]["images"] == 0


def test_duplicates_among_reused_images_are_those_of_a_fresh_run(longhaul_fake, image_model, images,
                                                                folder):
    shutil.copy(images / "0/002.png", images / "1/030.png")
    options = ("embed", image_model, images, *IMAGE_OPTIONS, "--skip-duplicates", "exact", "-o")
    assert longhaul_fake(*options, folder / "first").code == 0
    shutil.copy(images / "0/002.png", images / "0/000_before.png")
    shutil.copy(images / "1/031.png", images / "1/032_again.png")
    assert longhaul_fake(*options, folder / "second", "--reuse", folder / "first").code == 0
    assert longhaul_fake(*options, folder / "fresh").code == 0
    assert contents(folder / "second") == contents(folder / "fresh")
    assert report(folder / "second")["counts"]["duplicates"] == 3
    assert computed(folder / "second") == 0
