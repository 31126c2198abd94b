"""longhaul inspect: models, drafts of cards, output directories."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-W", "ignore", ROOT / "tests/torch/make_models.py", folder],
                   check=True)
    return folder


def test_a_model_is_described(longhaul, models):
    result = longhaul("inspect", models / "tuple.ts")
    assert result.code == 0, result
    for text in ("tokens (int64), mask (int64)", "tokens, part 1", "512 tokens at most",
                 "^ before and $ after", "ACDEFGHIKLMNPQRSTVWY", "2 vectors"):
        assert text in result.out, result
    told = json.loads(longhaul("inspect", models / "tuple.ts", "--json").out)
    assert told["card"]["dimension"] == 16
    assert told["module"]["parameters"] > 10000
    assert len(told["sha256"]) == 64 and told["sha256"] in result.out


def test_a_model_without_a_card_is_refused_with_the_way_out(longhaul, models):
    result = longhaul("inspect", models / "no_card.ts")
    assert result.code == 65
    assert "--draft-card" in result.err and len(result.err.splitlines()) == 1


def test_a_draft_is_refused_until_it_is_completed(longhaul, models, tmp_path):
    drafted = longhaul("inspect", models / "no_card.ts", "--draft-card")
    assert drafted.code == 0, drafted
    card = json.loads(drafted.out)
    assert card["dimension"] == 16 and card["max_tokens"] == 512
    path = tmp_path / "card.json"
    path.write_text(json.dumps(card))
    refused = longhaul("inspect", models / "no_card.ts", "--card", path)
    assert refused.code == 65 and "null" in refused.err, refused
    whole = json.loads(longhaul("inspect", models / "plain.ts", "--json").out)["card"]
    card.update(alphabet=whole["alphabet"], pooling="mean", normalize="none")
    path.write_text(json.dumps(card))
    assert longhaul("inspect", models / "no_card.ts", "--card", path).code == 0


def test_a_damaged_archive_is_one_line_and_65(longhaul, models, tmp_path):
    path = tmp_path / "half.ts"
    data = (models / "plain.ts").read_bytes()
    path.write_bytes(data[:len(data) // 2])
    result = longhaul("inspect", path)
    assert result.code == 65
    assert "archive" in result.err and len(result.err.splitlines()) == 1


def test_missing_and_foreign_paths(longhaul, tmp_path):
    missing = longhaul("inspect", tmp_path / "none.ts")
    assert missing.code == 74 and "no such model" in missing.err
    foreign = longhaul("inspect", tmp_path)
    assert foreign.code == 65 and "neither a model nor an output" in foreign.err


def test_an_output_directory_is_summed_up(longhaul, models, tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("id,sequence\na,ACDEF\nb,GGHIK\nc,ZZZ\n")
    out = tmp_path / "out"
    assert longhaul("embed", models / "plain.ts", source, "-o", out, "--device", "cpu").code == 3
    result = longhaul("inspect", out)
    assert result.code == 0, result
    assert "complete, exit code 3" in result.out and "records/s" in result.out
    assert json.loads(longhaul("inspect", out, "--json").out)["counts"]["rejected"] == 1


def test_the_program_needs_libtorch_first_and_no_other_blas(longhaul):
    if sys.platform != "linux":
        pytest.skip("ELF only")
    dynamic = subprocess.run(["readelf", "-d", longhaul.path], capture_output=True, text=True,
                             check=True).stdout
    needed = [line.split("[")[1].rstrip("]") for line in dynamic.splitlines() if "NEEDED" in line]
    assert needed[0] == "libtorch_cpu.so", needed
    closure = subprocess.run(["ldd", longhaul.path], capture_output=True, text=True,
                             check=True).stdout
    for library in ("blas", "lapack", "opencv"):
        assert library not in closure, closure
