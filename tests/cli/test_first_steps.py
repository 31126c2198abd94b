"""What somebody meets who uses the program for the first time: what it says is so, and said once."""

import json
import pathlib
import random

import numpy as np
import pytest

from fake_run import RESIDUES, committed
from remedies import Trial

ROOT = pathlib.Path(__file__).resolve().parents[2]
DNA = "ATGGCCCAGGTGCAGCTGGTGGAGTCTGGG"


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


def proteins(count, seed=1):
    chance = random.Random(seed)
    return ["".join(chance.choices(RESIDUES, k=chance.randrange(20, 90))) for _ in range(count)]


def table(rows):
    return "id,sequence\n" + "".join(f"r{i},{row}\n" for i, row in enumerate(rows))


def counts(out):
    return json.loads((out / "run.json").read_text())["counts"]


def begun(t, records=200):
    """A run that was stopped in the middle of its only window."""
    t.write("model.json", json.dumps({"fake": True, "dimension": 8, "rows_per_second": 150}))
    t.input.write_text(table(proteins(records)))
    command = [*t.embed("--commit-every", "0", "-b", 4)]
    t.works(*command, "--time-limit", "600ms", code=75)
    start, position = committed(t.out)
    assert start == 0 < position < records
    return command, position


@pytest.mark.parametrize("every", [2, 40])
def test_nucleotides_among_proteins_are_embedded_and_said(t, every):
    rows = [DNA if i % every == every - 1 else row for i, row in enumerate(proteins(40))]
    t.input.write_text(table(rows))
    result = t.works(*t.embed())
    first, found = every - 1, 40 // every
    warning, = result.err.splitlines()
    assert f"record {first} (r{first}), {t.input} line {first + 2}: looks like DNA or RNA" in warning
    assert counts(t.out)["looks_like_nucleotides"] == found
    assert f"\nnucleotides   {found} of bases alone, like DNA" in t.works("inspect", t.out).out
    assert np.isfinite(t.vectors()).all()
    # Both ways on.
    expected = t.works(*t.embed("--overwrite", "--allow-nucleotides"))
    assert expected.err == "" and counts(t.out)["looks_like_nucleotides"] == 0
    t.input.write_text(table([row for row in rows if row != DNA]))
    assert t.works(*t.embed("--overwrite")).err == ""


def test_nucleotides_that_were_retried_are_counted(t):
    t.input.write_text(table([*proteins(9), DNA + "?"]))
    t.works(*t.embed(), code=3)
    t.works(*t.embed("--retry-rejects", "--unknown", "token"))
    assert counts(t.out)["looks_like_nucleotides"] == 0  # the '?' is no base
    t.input.write_text(table([*proteins(9), DNA * 30]))
    t.write("model.json", json.dumps({"fake": True, "dimension": 8, "max_tokens": 100}))
    t.works(*t.embed("--overwrite"), code=3)
    t.works(*t.embed("--retry-rejects", "--too-long", "truncate"))
    assert counts(t.out)["looks_like_nucleotides"] == 1


def test_gaps_are_removed_into_another_output(t):
    t.input.write_text(table(["ACD-EF", "MKLV"]))
    said = t.works(*t.embed(), code=3).err
    assert "--gaps remove" in said and "into another --output or with --overwrite" in said
    t.works(*t.embed("--gaps", "remove", "--overwrite"))
    t.out = t.folder / "other"
    t.works(*t.embed("--gaps", "remove"))


@pytest.mark.parametrize("bad", ["ACDE1F", "ACD EF", "", "nan", "ACDE>F"])
def test_a_corrected_input_needs_another_output_and_is_told_so(t, bad):
    t.input.write_text(table([*proteins(9), bad]))
    said = t.works(*t.embed(), code=3).err
    assert "then embed into another --output or with --overwrite" in said
    t.input.write_text(table([*proteins(9), "ACDEF"]))
    t.works(*t.embed("--overwrite"))


def test_a_limit_says_what_a_corrected_input_needs(t):
    t.input.write_text(table([*proteins(30), "AC?"]))
    line = t.fails(65, "correct the input and embed it into another --output or with --overwrite",
                   *t.embed("--max-rejects", "1%"))
    assert "the limit of 1 %" in line
    t.input.write_text(table([*proteins(30), "ACD"]))
    t.works(*t.embed("--max-rejects", "1%", "--overwrite"))


def test_a_retry_of_a_corrected_file_is_refused_before_anything_is_embedded(t):
    t.input.write_text(table([*proteins(9), "AC?"]))
    t.works(*t.embed(), code=3)
    t.input.write_text(table([*proteins(9), "ACDD"]))
    result = t.program("embed", t.model, t.input, "-o", t.out, "--retry-rejects", cwd=t.folder)
    assert result.code == 73, result
    assert "loaded in" not in result.err and "embedded" not in result.err
    assert "another --output, or --overwrite without --retry-rejects" in result.err
    t.works(*t.embed("--overwrite"))


def test_a_file_that_was_only_touched_is_retried(t):
    t.input.write_text(table([*proteins(9), "AC?"]))
    t.works(*t.embed(), code=3)
    t.input.write_text(t.input.read_text())
    t.works(*t.embed("--retry-rejects", "--unknown", "token"))
    assert np.isfinite(t.vectors()).all()


def test_a_retry_that_gains_nothing_says_so(t):
    t.input.write_text(table(["ACDEF", "AC?"]))
    t.works(*t.embed(), code=3)
    again = t.works("embed", t.model, t.input, "-o", t.out, "--retry-rejects", code=3)
    assert "no retried record has a vector now" in again.err
    assert "are part of" not in again.err
    gained = t.works("embed", t.model, t.input, "-o", t.out, "--retry-rejects", "--unknown", "token")
    assert "the retried rows are part of" in gained.err


def test_nothing_is_done_before_the_first_record_is(t):
    t.write("model.json", json.dumps({"fake": True, "dimension": 8, "rows_per_second": 100}))
    t.input.write_text(table(proteins(60)))
    said = t.works("embed", t.model, t.input, "-o", t.out, "--progress", "json").err
    first = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
    assert first["records_done"] == 0 == first["bytes_read"] and first["bytes_total"] > 0


def test_a_run_that_stopped_is_summed_up_as_far_as_is_known(t):
    command, position = begun(t)
    shown = t.works("inspect", t.out).out
    assert f"records       {position}: {position} with a vector\n" in shown
    assert "residues" not in shown  # of the records in hand nobody knows them yet
    told = json.loads(t.works("inspect", t.out, "--json").out)["counts"]
    assert told["ok"] == position and told["summed_records"] == 0 == told["residues"]
    assert counts(t.out)["summed_records"] == 0
    t.works(*command)
    shown = t.works("inspect", t.out).out
    assert f"residues      {sum(map(len, proteins(200))):,}\n" in shown
    assert "summed_records" not in counts(t.out)


def test_verify_says_what_is_committed_of_a_run_that_stopped_once(t):
    _, position = begun(t)
    result = t.works("verify", t.out, code=65)
    assert f"not finished, {position} records committed" in result.out
    assert result.err.count("is not finished") == 1 and "is not finished" not in result.out


def test_what_a_run_holds_is_told_in_words_that_line_up(t):
    t.input.write_text(table(["ACDEF", "AC?", "MKLV*", "", "MKLV"]))
    t.works(*t.embed(), code=3)
    shown = t.works("inspect", t.out).out
    assert "records       5: 3 with a vector, 2 rejected (1 empty, 1 invalid_character)\n" in shown
    assert "stops         1 final '*' left out\n" in shown
    names = [line[:14] for line in shown.splitlines()]
    assert all(name.endswith(" ") for name in names), shown
    assert "_at_least" not in shown and "stayed_not_finite" not in shown


def test_ids_that_are_numbers_are_not_said_twice(t):
    t.input.write_text("sequence\nACDEF\nAC?\n")
    said = t.works(*t.embed(), code=3).err
    assert "record 1, " in said and "(1)" not in said


@pytest.mark.parametrize("tail", ['c,"MKL\n', 'c,"MKL\nfurther\nwords'])
def test_a_last_line_with_an_open_quote_is_one_reject(t, tail):
    t.input.write_text("id,sequence,label\na,ACDEF,1\nb,MKLV,2\n" + tail)
    said = t.works(*t.embed(), code=3).err
    assert "record 2 (c)" in said and "leave out or double that quote" in said
    assert np.isfinite(t.vectors()[:2]).all() and len(t.vectors()) == 3
    t.input.write_text("id,sequence,label\na,ACDEF,1\nb,MKLV,2\nc,MKL,3\n")
    t.works(*t.embed("--overwrite"))


def fitted(t):
    t.input.write_text("id,sequence,label\n" + "".join(
        f"r{i},{row},{i % 2}\n" for i, row in enumerate(proteins(40))))
    t.works(*t.embed("--keep-column", "label"))
    head = t.folder / "head.npz"
    return head, t.works("probe", "fit", t.out, "-o", head)


def test_a_head_that_scores_the_rows_it_was_fitted_on_warns(t):
    head, fit = fitted(t)
    # What is said of a success does not look like a failure.
    assert fit.err.startswith("fitted ") and len(fit.err.split("gradient norm ")[1].strip()) < 10
    predict = ["probe", "predict", head, t.out, "-o", t.folder / "p.csv"]
    said = t.works(*predict).err
    assert f"warning: {head} was fitted on rows of these very embeddings" in said
    t.input.write_text(table(proteins(40, seed=2)))
    t.works(*t.embed("--overwrite"))
    assert "fitted on rows of" not in t.works(*predict).err


def test_a_command_of_commands_names_them(t):
    for words in [["probe"], ["probe", "-x"]]:
        result = t.program(*words)
        assert result.code == 2, result
    line = t.fails(2, "see longhaul probe --help", "probe")
    assert "longhaul probe does one of: fit, predict, cv" in line


@pytest.mark.parametrize("name", ["antibody_csv", "original_pipeline"])
def test_a_shipped_configuration_takes_the_columns_that_the_program_takes(t, name):
    config = ["--config", ROOT / "configs" / f"{name}.json"]
    t.input.write_text("id,seq,label\n" + "".join(f"r{i},{s},1\n" for i, s in
                                                   enumerate(proteins(40))))
    t.works(*t.embed(*config))
    t.input.write_text("id,chain,label\na,ACDEF,1\n")
    for more in config, []:
        assert "has no column named 'sequence'" in t.fails(65, "--sequence-column",
                                                           *t.embed("--overwrite", *more))


def test_the_help_of_embed_names_every_kind_of_input(t):
    shown = " ".join(t.works("embed", "-h").out.split())
    for kind in "sequences", "standard input", "images", ".tar archives", "folders", "--files-from":
        assert kind in shown.partition("INPUT ...")[2].partition(" -h")[0], shown


def test_what_is_automatic_is_printed_as_a_word(t):
    printed = json.loads(t.works("embed", "--print-config").out)["settings"]
    assert printed["batch-size"]["value"] == printed["memory-limit"]["value"] == "auto"
    assert printed["max-length"]["value"] == "card" and printed["time-limit"]["value"] == "none"
    t.works(*t.embed("--config", t.write("printed.json", json.dumps(
        {name: setting["value"] for name, setting in printed.items()
         if setting["value"] not in (None, [])}))))


def test_a_run_that_a_second_interrupt_ended_may_be_one_that_says_nothing(t):
    """As the process leaves it: run.json says running, and nobody holds the lock."""
    begun(t)
    path = t.out / "run.json"
    report = json.loads(path.read_text())
    path.write_text(json.dumps({**report, "state": "running", "code": None}))
    shown = " ".join(t.works("inspect", t.out).out.split())
    assert "stopped before it could say why (killed, a power cut, a second Ctrl-C)" in shown
