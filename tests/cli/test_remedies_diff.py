"""The remedies of `longhaul diff`, followed."""

import os
import shutil

import pytest

from remedies import Trial, follows


@pytest.fixture
def t(longhaul_fake, tmp_path):
    trial = Trial(longhaul_fake, tmp_path)
    trial.works(*trial.embed())
    return trial


def embed_into(t, out, *flags, model=None, source=None):
    t.works("embed", model or t.model, source or t.input, "-o", out, "-q", *flags)


@follows("lib/store/checked_rows.cpp", "holds shards that are not merged")
@follows("apps/longhaul/diff.cpp", "is no output of longhaul embed")
def test_what_is_no_output(t):
    for index in (1, 2):
        embed_into(t, "shared", "--shard", f"{index}/2")
    line = t.fails(75, "compare the directories of two shards", "diff", t.out, "shared")
    assert "give longhaul merge shared" in line
    t.works("diff", "shared/shards/1-of-2", "shared/shards/1-of-2")
    t.works("merge", "shared")
    t.works("diff", t.out, "shared")
    (t.folder / "photos").mkdir()
    t.fails(65, "name the --output of a run", "diff", "photos", t.out)
    t.fails(74, "", "diff", t.out, "nowhere")


@follows("apps/longhaul/diff.cpp", "has no complete window yet")
def test_an_output_that_has_nothing_yet(t):
    t.model.write_text('{"fake": true, "dimension": 8, "error_at": 1}')
    t.program(*t.embed("--overwrite"), cwd=t.folder)
    t.fails(75, "give the command that began it again, and compare when it has more", "diff", t.out,
            t.out)
    t.model.write_text('{"fake": true, "dimension": 8}')
    t.works(*t.embed("--overwrite"))
    t.works("diff", t.out, t.out)


@follows("apps/longhaul/diff.cpp", "do not match their checksums")
def test_damage(t):
    shutil.copytree(t.out, t.folder / "copy")
    path = t.folder / "copy/embeddings.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    t.fails(65, "see what `longhaul verify` says of it", "diff", t.out, "copy")
    assert "row 3" in t.fails(65, "restore the files from a copy", "verify", "copy")
    shutil.copy(t.out / "embeddings.npy", path)
    t.works("diff", t.out, "copy")
    os.truncate(path, path.stat().st_size - 4)
    t.fails(65, "see what `longhaul verify` says", "diff", t.out, "copy")


@follows("lib/score/output_diff.cpp", "have no record in common", "cannot be compared",
         "has no array")
def test_outputs_that_cannot_be_compared(t):
    other = t.write("other.csv", "id,sequence\nx,ACDEF\ny,MK\n")
    embed_into(t, "other", source=other)
    t.fails(65, "compare outputs of the same records, with the same ids", "diff", t.out, "other")
    wide = t.write("wide.json", '{"fake": true, "dimension": 16}')
    embed_into(t, "wide", model=wide)
    line = t.fails(65, "compare outputs of models with the same dimension", "diff", t.out, "wide")
    assert "vectors of 8 numbers in A, vectors of 16 numbers in B" in line
    t.fails(2, "it has embeddings", "diff", t.out, t.out, "--array", "tokens")
    t.works("diff", t.out, t.out, "--array", "embeddings")
