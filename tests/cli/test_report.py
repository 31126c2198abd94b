"""`longhaul report`: what the page says is what the output holds, and a real browser shows it."""

import json
import pathlib
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from chromium import Chromium
from fake_run import LONG, Job, records_of
from measured import MIB, run_measured

VERSION_1 = pathlib.Path(__file__).parent / "version_1"
HOSTILE = "<script>alert(1)</script></script><img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def chromium():
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def job(longhaul_fake, tmp_path_factory):
    """A finished output with a kept column, rejects, duplicates and ids that want to be markup."""
    made = Job(longhaul_fake, tmp_path_factory.mktemp("report"), 600)
    lines = made.input.read_text().splitlines()
    lines = [line + (",kind" if row == 0 else f",{'xyz'[row % 3]}") for row, line in enumerate(lines)]
    repeated = lines[1].split(",")[1]
    lines += [f"{HOSTILE},{repeated},x", f"ü,{'ACD' * 30},{HOSTILE}"]
    lines.insert(1, f"{HOSTILE}2,{HOSTILE},{HOSTILE}")
    made.input.write_text("\n".join(lines) + "\n")
    made.options += ["--keep-column", "kind", "--skip-duplicates", "exact"]
    made.out = made.folder / "out"
    made.finish(made.out)
    return made


def report(program, out, *more, code=0):
    result = program("report", out, *more)
    assert result.code == code, result
    return result


def data_of(page):
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text(), re.S)
    return json.loads(found.group(1))


def check_map(map_, out, **tolerance):
    """The places are scikit-learn's, up to the sign of an axis."""
    records = records_of(out)
    ok = (records.status == "ok").to_numpy()
    vectors = np.load(out / "embeddings.npy").astype(np.float64)
    pca = PCA(2, svd_solver="full").fit(vectors[ok])
    assert map_["rows"] == ok.sum()
    assert np.allclose(map_["shares"], pca.explained_variance_ratio_, rtol=1e-9)
    expected = pca.transform(vectors[map_["points"]["row"]])
    for axis, name in enumerate("xy"):
        found = np.array(map_["points"][name])
        sign = np.sign(found @ expected[:, axis])
        assert np.allclose(sign * found, expected[:, axis], atol=1e-7 * np.abs(expected).max())


@pytest.mark.parametrize("width, scheme", [(390, "dark"), (390, "light"), (1280, "dark"), (1280, "light")])
def test_a_browser_shows_it(longhaul_fake, job, chromium, tmp_path, width, scheme):
    file = tmp_path / "page.html"
    report(longhaul_fake, job.out, "-o", file, "--colour", "kind")
    page = chromium.open(file, width, scheme=scheme)
    assert page.complaints == []
    assert page.requests == [file.resolve().as_uri()]
    assert page.value("document.documentElement.scrollWidth") <= width
    assert page.value("document.body.scrollWidth") <= width
    dark = page.value("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert dark == (scheme == "dark")

    run = json.loads((job.out / "run.json").read_text())
    text = page.text()
    for count in (run["counts"]["records"], run["counts"]["ok"] + run["counts"]["duplicates"],
                  run["counts"]["rejected"]):
        assert f"{count:,}\n" in text
    for value in (run["model"]["sha256"], run["bits"], run["processor"]["model"], "invalid_character",
                  "residues, median", "r7"):
        assert value in text, value
    titles = page.value("drawn.map((one) => one.chart.options.scales.x.title.text)")
    assert any(one.startswith("component 1 (") for one in titles)
    assert any("residues" in one for one in titles)
    assert page.value("drawn.length") >= 2
    assert page.value("drawn.every((one) => one.chart.width > 250 && one.chart.height > 200)")
    # Every number stands on its figure, and no two labels on an axis stand on each other.
    assert page.value(
        "drawn.every(({chart}) => chart.data.datasets.every((set, i) => chart.getDatasetMeta(i).data.every("
        "(mark) => Number.isNaN(mark.y) || mark.skip || (mark.x >= chart.chartArea.left - 1 && mark.x <= chart.chartArea.right + 1 &&"
        " mark.y >= chart.chartArea.top - 1 && mark.y <= chart.chartArea.bottom + 1))))")
    assert page.value("drawn.map(({chart: {scales: {x}}}) => x._labelItems).flatMap((items) => items.slice(1).map("
                      "(one, i) => one.translation[0] - items[i].translation[0])).every((gap) => gap > 12)")


def test_hostile_text_stays_text(longhaul_fake, job, chromium, tmp_path):
    file = tmp_path / "page.html"
    report(longhaul_fake, job.out, "-o", file, "--colour", "kind")
    page = chromium.open(file, 1280)
    assert page.complaints == []
    assert page.text().count(HOSTILE) >= 2  # a reject's id, and a duplicate's
    assert page.value("document.scripts.length") == 3
    assert page.value("document.images.length") == 0
    assert page.value("drawn.flatMap((one) => one.chart.data.datasets).some((one) => (one.label || \"\").includes("
                      f"{json.dumps(HOSTILE)}))")
    # What a page did not come with, its policy does not let run.
    page.value("document.body.append(Object.assign(document.createElement('script'), "
               "{textContent: 'window.itRan = true'}))")
    assert page.value("window.itRan === undefined")


def test_pointing_at_a_mark_shows_its_id(longhaul_fake, job, chromium, tmp_path):
    file = tmp_path / "page.html"
    report(longhaul_fake, job.out, "-o", file, "--colour", "kind")
    page = chromium.open(file, 1280)
    page.value("document.querySelector('.figure.map').scrollIntoView({block: 'center'})")
    spot = page.value(
        "(() => { const chart = drawn.find((one) => one.canvas.parentNode.matches('.map')).chart;"
        " const mark = chart.getDatasetMeta(0).data[3]; const box = chart.canvas.getBoundingClientRect();"
        " return [box.left + mark.x, box.top + mark.y]; })()")
    page.point_at(*spot)
    page.value("new Promise((done) => setTimeout(done, 100))")
    lines = page.value("drawn.find((one) => one.canvas.parentNode.matches('.map')).chart.tooltip.body"
                       ".flatMap((one) => one.lines)")
    assert lines[1].startswith("row ") and lines[2].startswith("kind: ")
    row = int(lines[1][4:].replace(",", ""))
    assert lines[0] == records_of(job.out).id[row]


def test_the_map_is_the_principal_components(longhaul_fake, job):
    report(longhaul_fake, job.out, "--colour", "kind")
    data = data_of(job.out / "report.html")
    check_map(data["map"], job.out)
    records = records_of(job.out)
    points = data["map"]["points"]
    assert list(records.id[points["row"]]) == points["id"]
    assert list(records.kind[points["row"]]) == points["value"]
    assert data["records"]["duplicates"] == 1 and data["pairs"][0]["first"]["id"] == "r0"
    lengths = records[records.status != "rejected"].length
    assert sum(data["lengths"]["counts"]) == len(lengths)
    assert data["lengths"]["least"] == lengths.min() and data["lengths"]["greatest"] == lengths.max()
    rejects = pd.read_csv(job.out / "rejects.csv", keep_default_na=False)
    assert {one["reason"]: one["count"] for one in data["rejects"]} == dict(rejects.reason.value_counts())
    first = data["rejects"][0]
    assert first["examples"][0]["id"] == rejects[rejects.reason == first["reason"]].iloc[0].id


def test_thousands_of_rows_are_chosen_evenly(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 7000, window=4096, commit_every="5s", dimension=70)
    job.options[job.options.index("--batch-size") + 1] = 512
    job.finish(job.folder / "out")
    report(longhaul_fake, job.folder / "out")
    data = data_of(job.folder / "out/report.html")
    check_map(data["map"], job.folder / "out")
    rows = np.array(data["map"]["points"]["row"])
    assert len(rows) == 3000 and data["map"]["colour"] == "length"
    assert np.diff(rows).max() <= 6 and rows[0] < 6 and rows[-1] > 6990


def test_an_older_page_is_replaced_and_the_output_stays_whole(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 200)
    out = job.folder / "out"
    job.reference()
    job.finish(out)
    report(longhaul_fake, out)
    report(longhaul_fake, out, "-q")
    assert longhaul_fake("verify", out).code == 0
    job.finish(out)  # no work
    (out / "report.html").unlink()
    job.check_complete(out)


def test_a_run_that_is_not_finished(longhaul_fake, tmp_path, chromium):
    job = Job(longhaul_fake, tmp_path, 400, rate=400)
    out = job.folder / "out"
    stopped = longhaul_fake(*job.arguments(out, "--time-limit", "500ms"))
    assert stopped.code == 75, stopped
    summary = json.loads(report(longhaul_fake, out, "--json").out)
    assert summary["state"] == "interrupted" and 0 < summary["records"]["records"] < 400
    page = chromium.open(out / "report.html", 1280)
    assert page.complaints == []
    assert "This run is not finished: interrupted" in page.text()
    # What is written into the output's folder is not in the way of the run.
    job.finish(out)
    report(longhaul_fake, out)
    assert data_of(out / "report.html")["run"]["state"] == "complete"


def test_outputs_of_version_1(longhaul_fake, tmp_path, chromium):
    shutil.copytree(VERSION_1 / "finished", tmp_path / "finished")
    report(longhaul_fake, tmp_path / "finished")
    page = chromium.open(tmp_path / "finished/report.html", 390)
    assert page.complaints == []
    data = data_of(tmp_path / "finished/report.html")
    assert data["records"]["records"] == len(records_of(tmp_path / "finished"))
    check_map(data["map"], tmp_path / "finished")
    shutil.copytree(VERSION_1 / "stopped", tmp_path / "stopped")
    report(longhaul_fake, tmp_path / "stopped")
    page = chromium.open(tmp_path / "stopped/report.html", 390)
    assert page.complaints == [] and "This run is not finished" in page.text()


def test_shards_before_and_after_they_are_merged(longhaul_fake, tmp_path):
    job = Job(longhaul_fake, tmp_path, 300)
    out = job.folder / "out"
    for number in (1, 2):
        assert longhaul_fake(*job.arguments(out, "--shard", f"{number}/2")).code == 0
    assert "longhaul merge" in report(longhaul_fake, out, code=75).err
    report(longhaul_fake, out / "shards/1-of-2", "-o", tmp_path / "shard.html")
    shard = data_of(tmp_path / "shard.html")
    assert 0 < shard["records"]["records"] < 300
    assert longhaul_fake("merge", out).code in (0, 3)
    report(longhaul_fake, out)
    data = data_of(out / "report.html")
    assert data["records"]["records"] == 300
    check_map(data["map"], out)


def test_the_time_of_shards_is_not_one_after_the_other(longhaul_fake, tmp_path, chromium):
    job = Job(longhaul_fake, tmp_path, 300)
    out = job.folder / "out"
    for number in (1, 2):
        assert longhaul_fake(*job.arguments(out, "--shard", f"{number}/2")).code == 0
    assert longhaul_fake("merge", out).code in (0, 3)
    run = json.loads((out / "run.json").read_text())
    # Two hosts that ran side by side for all but 40 of 120 seconds.
    for session, start, stop in zip(run["sessions"], ("10:00:00", "10:00:20"), ("10:01:40", "10:02:00")):
        session.update(start=f"2026-01-01T{start}Z", stop=f"2026-01-01T{stop}Z")
        session["timings"].update(seconds=100, records=1500)
    (out / "run.json").write_text(json.dumps(run))
    report(longhaul_fake, out)
    page = chromium.open(out / "report.html", 1280)
    assert page.complaints == []
    assert page.value("embeddingSeconds()") == 120
    cards = page.value("document.getElementById('cards').innerText")
    assert "2 min\nembedding, 25 records/s; 2 shards took 3 min together" in cards
    assert "Shard" in page.text()


def test_duplicates_have_the_vector_of_their_original(longhaul_fake, job, chromium, tmp_path):
    file = tmp_path / "page.html"
    report(longhaul_fake, job.out, "-o", file)
    page = chromium.open(file, 1280)
    with_vector = np.isfinite(np.load(job.out / "embeddings.npy")[:, 0]).sum()
    records = data_of(file)["records"]
    assert records["with_vector"] == with_vector == records["ok"] + 1
    assert f"{with_vector:,}\nwith a vector" in page.text()
    assert "duplicates, with their original's vector" in page.text()


def test_an_output_without_records(longhaul_fake, tmp_path, chromium):
    (tmp_path / "m.json").write_text('{"fake": true}')
    (tmp_path / "in.csv").write_text("id,sequence\na,?\n")
    assert longhaul_fake("embed", tmp_path / "m.json", tmp_path / "in.csv", "-o", tmp_path / "out").code == 65
    report(longhaul_fake, tmp_path / "out")
    page = chromium.open(tmp_path / "out/report.html", 390)
    assert page.complaints == [] and "There is no map" in page.text()


def test_images_are_shown(longhaul, tiny_image_model, tmp_path, chromium):
    from PIL import Image
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name, colour in (("a.png", "red"), ("b.png", "lime"), ("c.png", "blue")):
        Image.new("RGB", (60, 40), colour).save(pictures / name)
    shutil.copy(pictures / "a.png", pictures / "d.png")
    Image.new("RGB", (300, 200), "white").save(pictures / "large.png")
    (pictures / "no.png").write_bytes(b"none")
    result = longhaul("embed", tiny_image_model, pictures, "-o", tmp_path / "out", "--skip-duplicates", "exact",
                      "--max-pixels", 10000)
    assert result.code == 3, result
    report(longhaul, tmp_path / "out")
    page = chromium.open(tmp_path / "out/report.html", 1280)
    assert page.complaints == []
    shown = page.value("[...document.images].map((one) => [one.alt, one.naturalWidth])")
    assert sorted(map(tuple, shown)) == [("a.png", 96), ("d.png", 96), ("large.png", 96)]
    data = data_of(tmp_path / "out/report.html")
    import base64
    import io
    uri = data["pairs"][0]["duplicate"]["picture"]
    picture = Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))
    assert picture.size == (96, 96) and np.unique(np.asarray(picture).reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]
    missing = [example["thumbnail"] for one in data["rejects"] for example in one["examples"]
               if example["id"] == "no.png"]
    assert missing[0]["picture"] is None and missing[0]["why"]


def test_a_member_of_an_archive_is_not_the_file_beside_it(longhaul, tiny_image_model, tmp_path):
    import io
    import tarfile

    from PIL import Image
    Image.new("RGB", (60, 40), "red").save(tmp_path / "a.png")
    Image.new("RGB", (60, 40), "lime").save(tmp_path / "good.png")
    with tarfile.open(tmp_path / "images.tar", "w") as archive:
        archive.add(tmp_path / "good.png", "good.png")
        broken = tarfile.TarInfo("a.png")
        broken.size = 4
        archive.addfile(broken, io.BytesIO(b"none"))
    result = longhaul("embed", tiny_image_model, "images.tar", "-o", "out", cwd=tmp_path)
    assert result.code == 3, result
    report(longhaul, tmp_path / "out")
    data = data_of(tmp_path / "out/report.html")
    example = data["rejects"][0]["examples"][0]
    assert example["id"] == "a.png" and example["thumbnail"]["picture"] is None
    assert "archive" in example["thumbnail"]["why"]


@pytest.mark.skipif(not LONG, reason="a million rows: --long")
def test_memory_does_not_grow_with_the_rows(longhaul_fake, tmp_path):
    (tmp_path / "m.json").write_text('{"fake": true, "dimension": 512}')
    with open(tmp_path / "in.csv", "w") as file:
        file.write("id,sequence\n")
        for row in range(1_000_000):
            file.write(f"r{row},{'ACDEFGHIKL'[row % 10] * (5 + row % 7)}{'MNPQRSTVWY'[row // 10 % 10] * 3}\n")
    done = longhaul_fake("embed", tmp_path / "m.json", tmp_path / "in.csv", "-o", tmp_path / "out", "-q")
    assert done.code == 0, done
    measured = run_measured(longhaul_fake.path, "report", tmp_path / "out", "-q")
    assert measured.code == 0 and measured.peak_rss < 200 * MIB, measured
    assert data_of(tmp_path / "out/report.html")["map"]["rows"] == 1_000_000
