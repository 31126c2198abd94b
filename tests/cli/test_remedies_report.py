"""The remedies of `longhaul report`, followed."""

import pytest

from remedies import Trial, cannot_follow, follows

cannot_follow("lib/report/record_facts.cpp", "stopped before the report was written",
              "a signal in the midst of reading: tests/report stops it there")


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


@follows("lib/report/vector_map.cpp", "is no column that")
def test_a_column_that_was_not_kept(t):
    t.works(*t.embed("--keep-column", "label"))
    line = t.fails(2, "name one of ", "report", t.out, "--colour", "Label", "-q")
    assert "label, length" in line
    t.works("report", t.out, "--colour", "label", "-q")


@follows("lib/report/report_file.cpp", "is there already, and is no report")
def test_a_file_that_is_not_ours(t):
    t.works(*t.embed())
    page = t.write("out/report.html", "mine")
    t.fails(2, "name another with --output", "report", t.out, "-q")
    assert page.read_text() == "mine"
    t.works("report", t.out, "-q", "-o", "other.html")
    page.unlink()
    t.works("report", t.out, "-q")


@follows("lib/report/report_file.cpp", "where the page is to be")
def test_a_folder_that_is_not_there(t):
    t.works(*t.embed())
    t.fails(74, "make it, or name another place with --output", "report", t.out, "-q", "-o",
            "pages/report.html")
    (t.folder / "pages").mkdir()
    t.works("report", t.out, "-q", "-o", "pages/report.html")


@follows("lib/store/checked_rows.cpp", "holds shards that are not merged")
def test_shards(t):
    for number in (1, 2):
        t.works(*t.embed("--shard", f"{number}/2"), code=0)
    t.fails(75, "longhaul merge", "report", t.out, "-q")
    t.works("report", t.out / "shards/1-of-2", "-q", "-o", "shard.html")
    t.works("merge", t.out, "-q")
    t.works("report", t.out, "-q")
