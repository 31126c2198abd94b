"""Text inputs that are not as they were meant: each record is embedded, rejected or counted as left
out, and what is said helps. pandas, where it applies, is the reference."""

import bz2
import csv
import ctypes
import ctypes.util
import gzip
import json
import lzma
import random
import re
import subprocess

import numpy as np
import pandas
import pyarrow as pa
import pytest

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


@pytest.fixture
def embed(longhaul_fake, tmp_path):
    model = tmp_path / "fake.json"
    model.write_text('{"fake": true}')

    def run(*arguments, out="out", fresh=True, **options):
        again = ["--overwrite"] if fresh else []
        done = longhaul_fake("embed", model, *arguments, "-o", tmp_path / out, *again,
                             cwd=tmp_path, **options)
        folder = tmp_path / out
        done.records, done.rejects = table(folder / "records.csv"), table(folder / "rejects.csv")
        done.report = json.loads((folder / "run.json").read_text()) \
            if (folder / "run.json").exists() else None
        path = folder / "embeddings.npy"
        done.vectors = np.load(path) if path.exists() else None
        return done
    return run


def table(path):
    if not path.exists():
        return None
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sequences(count, seed=1, shortest=8):
    source = random.Random(seed)
    return ["".join(source.choices(RESIDUES, k=source.randint(shortest, 40))) for _ in range(count)]


def vector_of(embed, sequence, tmp_path):
    (tmp_path / "one.csv").write_text(f"sequence\n{sequence}\n")
    return embed("one.csv", out="one").vectors[0].tobytes()


def notes_with_two_lone_quotes(separator, first, last, rows=9):
    texts = sequences(rows, seed=first * 10 + last)
    lines = [separator.join(["id", "note", "sequence"])]
    for row, text in enumerate(texts):
        note = '"begins alone' if row == first else '5 inch"' if row == last else "plain"
        lines.append(separator.join([f"P{row}", note, text]))
    return texts, "\n".join(lines) + "\n"


@pytest.mark.parametrize(("first", "last"), [(2, 5), (0, 8), (3, 4)])
def test_a_lone_quote_swallows_no_row(embed, tmp_path, first, last):
    texts, text = notes_with_two_lone_quotes("\t", first, last)
    (tmp_path / "a.tsv").write_text(text)
    done = embed("a.tsv", "--keep-column", "note")
    assert done.code == 0, done
    assert [r["id"] for r in done.records] == [f"P{i}" for i in range(9)]
    plain = pandas.read_csv(tmp_path / "a.tsv", sep="\t", quoting=csv.QUOTE_NONE)
    assert [r["note"] for r in done.records] == list(plain.note)
    assert [int(r["length"]) for r in done.records] == [len(s) for s in texts]

    texts, text = notes_with_two_lone_quotes(",", first, last)
    (tmp_path / "a.csv").write_text(text)
    done = embed("a.csv")
    assert done.code == 3, done
    assert [(r["id"], r["line"], r["reason"]) for r in done.rejects] == [
        (f"P{first}", str(first + 2), "bad_record"), (f"P{last}", str(last + 2), "bad_record")]
    assert [r["id"] for r in done.records] == [f"P{i}" for i in range(9)]
    for row, record in enumerate(done.records):
        if record["status"] == "ok":
            assert int(record["length"]) == len(texts[row])
            assert done.vectors[row].tobytes() == vector_of(embed, texts[row], tmp_path)


def test_a_run_goes_on_inside_the_rows_between_two_lone_quotes(longhaul_fake, tmp_path):
    texts = sequences(400, seed=7)
    lines = ["id,note,sequence"]
    for row, text in enumerate(texts):
        note = '"alone' if row == 90 else 'inch"' if row == 310 else "x"
        lines.append(f"r{row},{note},{text}")
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "fake.json").write_text('{"fake": true}')
    (tmp_path / "slow.json").write_text('{"fake": true, "rows_per_second": 150}')
    options = ["--window", 16, "--commit-every", 0, "-b", 8, "--threads", 1]
    whole = longhaul_fake("embed", "slow.json", "a.csv", "-o", "whole", *options, cwd=tmp_path)
    assert whole.code == 3, whole
    stops, code = 0, 75
    while code == 75:
        done = longhaul_fake("embed", "slow.json", "a.csv", "-o", "parts", *options,
                             "--time-limit", f"{300 + 100 * stops}ms", cwd=tmp_path)
        code, stops = done.code, stops + 1
        assert code in (3, 75), done
    assert stops > 3
    journal = (tmp_path / "parts" / "journal.jsonl").read_text()
    assert " skip=" in journal  # a stop fell between the two quotes
    for name in ("embeddings.npy", "records.csv", "rejects.csv", "checksums.npy"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


def test_cells_over_lines_are_read_as_pandas_reads_them(embed, tmp_path):
    source = random.Random(3)
    notes = ["\n".join(source.choices(["some words", "and, more", "", "a line"], k=4))
             for _ in range(40)]
    frame = pandas.DataFrame({"id": [f"r{i}" for i in range(40)], "note": notes,
                              "more": ["x"] * 40, "sequence": sequences(40)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    done = embed("a.csv", "--keep-column", "note")
    assert done.code == 0, done
    assert [r["note"] for r in done.records] == notes
    assert [int(r["length"]) for r in done.records] == list(frame.sequence.str.len())


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("flags", [[], ["--unknown", "token"]])
def test_a_header_glued_to_residues_is_named_and_nothing_of_it_embedded(embed, tmp_path, end,
                                                                        flags):
    first, second = f">one{end}MKLVEV*", f">two words{end}LVGGWW{end}>three{end}EVQL"
    (tmp_path / "a.fasta").write_text(first + second)  # as `cat` makes it
    done = embed("a.fasta", *flags)
    assert done.code == 3, done
    assert [(r["id"], r["line"], r["reason"]) for r in done.rejects] == [
        ("one", "1", "bad_record"), ("two", "2", "bad_record")]
    assert all("put a line break before" in r["message"] for r in done.rejects)
    assert [r["status"] for r in done.records] == ["rejected", "rejected", "ok"]
    # The remedy.
    (tmp_path / "a.fasta").write_text(first + end + second)
    done = embed("a.fasta", *flags)
    assert done.code == 0 and [r["id"] for r in done.records] == ["one", "two", "three"]


def test_a_header_sign_in_a_cell_is_no_residue(embed, tmp_path):
    (tmp_path / "a.csv").write_text("sequence\nMK>LV\nMKJ?LV\nMKLV\n")
    done = embed("a.csv", "--unknown", "token")
    assert done.code == 3, done
    assert [r["reason"] for r in done.rejects] == ["invalid_character"]
    assert [r["status"] for r in done.records] == ["rejected", "ok", "ok"]


def test_white_space_and_numbers_of_genbank_are_no_residues(embed, tmp_path):
    text = sequences(1, shortest=30)[0]
    columns = "".join(f"{i + 1:9d} {text[i:i + 10]} {text[i + 10:i + 20]}\n"
                      for i in range(0, len(text), 20))
    (tmp_path / "a.fasta").write_text(f">a\n{text}\n>b\n{columns}>c\n {text[:5]}\t{text[5:]}  \n")
    done = embed("a.fasta")
    assert done.code == 0, done
    assert done.vectors[0].tobytes() == done.vectors[1].tobytes() == done.vectors[2].tobytes()
    assert done.err.count("numbers between residues") == 1 and "line 4" in done.err
    (tmp_path / "b.fasta").write_text(">a\nMK1LV\n>b\nMKLV\n")
    done = embed("b.fasta", "--unknown", "token")
    assert [r["status"] for r in done.records] == ["rejected", "ok"]
    assert "--unknown token" not in done.err and "numbers" in done.err


def test_what_pandas_writes_for_a_missing_sequence_is_missing(embed, tmp_path):
    frame = pandas.DataFrame({"id": list("abcd"), "sequence": ["MKLV", None, "NA", np.nan]})
    frame.to_csv(tmp_path / "a.csv", index=False, na_rep="nan")
    frame.to_csv(tmp_path / "b.tsv", index=False, na_rep="NaN", sep="\t")
    frame.to_json(tmp_path / "c.jsonl", orient="records", lines=True)
    for name in ("a.csv", "b.tsv", "c.jsonl"):
        done = embed(name)
        assert done.code == 3, done
        assert [(r["id"], r["reason"]) for r in done.rejects] == [("b", "missing_value"),
                                                                  ("d", "missing_value")]
        assert [r["length"] for r in done.records if r["status"] == "ok"] == ["4", "2"]
        assert done.err.count("'NA' is read as residues") == 1
    # In FASTA and in a JSON string these letters are residues, as whoever reads them there says.
    (tmp_path / "d.fasta").write_text(">a\nnan\n>b\nNaN\n>c\nMKLVEVQW\n")
    assert embed("d.fasta").code == 0
    (tmp_path / "e.jsonl").write_text('{"sequence": "nan"}\n{"sequence": "MKLVEVQW"}\n')
    assert pandas.read_json(tmp_path / "e.jsonl", lines=True).sequence[0] == "nan"
    done = embed("e.jsonl")
    assert done.code == 0 and "'nan' is read as residues" in done.err


def test_gaps_are_rejected_or_removed_and_counted(embed, tmp_path):
    rows = {"up": "MKLVEVQL", "gap": "MK--LVEVQL", "dots": "MKLV..EV.QL", "ends": "-MKLVEVQL*-"}
    (tmp_path / "a.fasta").write_text("".join(f">{k}\n{v}\n" for k, v in rows.items()))
    done = embed("a.fasta", "--unknown", "token")
    assert done.code == 3, done
    assert [r["status"] for r in done.records] == ["ok"] + 3 * ["rejected"]
    assert "--gaps remove" in done.err and "use --unknown" not in done.err
    done = embed("a.fasta", "--gaps", "remove")
    assert done.code == 0, done
    assert [r["gaps"] for r in done.records] == ["0", "2", "3", "2"]
    assert list(done.records[0])[5:10] == ["truncated", "substituted", "gaps", "windows", "hash"]
    assert len({row.tobytes() for row in done.vectors}) == 1
    assert done.report["counts"]["gaps_removed"] == 7
    assert done.report["counts"]["gapped_records"] == 3


def test_settings_that_find_records_are_part_of_what_a_run_is(embed, tmp_path, longhaul_fake):
    (tmp_path / "a.csv").write_text("x;y\nid;sequence\na;MK-LV\nb;MKLV\nc;M?LV\n")
    options = ["a.csv", "--skip-lines", "1", "--delimiter", ";", "--gaps", "remove"]
    assert embed(*options).code == 3
    assert embed(*options, fresh=False).code == 3
    for flag, other in {"--skip-lines": "0", "--delimiter": "comma", "--gaps": "reject"}.items():
        changed = list(options)
        changed[changed.index(flag) + 1] = other
        for more in ([], ["--retry-rejects"]):
            done = embed(*changed, *more, fresh=False)
            assert done.code == 73 and f"made with {flag[2:]} " in done.err, done
    done = embed(*options, "--retry-rejects", "--unknown", "token", fresh=False)
    assert done.code == 0 and [r["gaps"] for r in done.records] == ["1", "0", "0"], done
    verified = longhaul_fake("verify", tmp_path / "out", cwd=tmp_path)
    assert verified.code == 0, verified


def journal_without(folder, names):
    """The journal as a version wrote it that did not know these settings and the columns gaps and
    windows."""
    library = ctypes.CDLL(ctypes.util.find_library("xxhash"))
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    crc, lines = "0" * 16, []
    for text in (folder / "journal.jsonl").read_text().splitlines():
        line = json.loads(text)
        if line["kind"] == "begin":
            line["layout"].pop("gaps_column")
            line["layout"].pop("windows_column")
            for name in names:
                line["run"]["fingerprint"].pop(name)
        body = json.dumps({k: v for k, v in line.items() if k != "crc"}, separators=(",", ":"))[1:]
        chained = (crc + body).encode()
        crc = f"{library.XXH3_64bits(chained, len(chained)):016x}"
        lines.append('{"crc":"%s",%s' % (crc, body))
    (folder / "journal.jsonl").write_text("\n".join(lines) + "\n")


def test_an_output_of_before_these_settings_were_recorded_still_resumes(embed, tmp_path):
    texts = sequences(40)
    (tmp_path / "a.csv").write_text("sequence\n" + "\n".join(texts) + "\nMK?LV\n")
    assert embed("a.csv").code == 3
    journal_without(tmp_path / "out", ["skip-lines", "delimiter", "gaps", "window-overlap"])
    done = embed("a.csv", fresh=False)
    assert done.code == 3 and "nothing to do" in done.err, done
    done = embed("a.csv", "--skip-lines", "1", fresh=False)
    assert done.code == 73 and "made with skip-lines 0" in done.err


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_what_separates_cells_is_recognised(embed, tmp_path, separator):
    texts = sequences(5)
    frame = pandas.DataFrame({"ID": list("abcde"), "note": ["x,y"] * 5, "Sequence": texts})
    frame.to_csv(tmp_path / "a.csv", index=False, sep=separator)
    plain = (tmp_path / "a.csv").read_text()
    (tmp_path / "b.csv").write_text(f"sep={separator}\n" + plain)
    for name in ("a.csv", "b.csv"):
        done = embed(name, "--keep-column", "note")
        assert done.code == 0, done
        assert [(r["id"], r["note"], int(r["length"])) for r in done.records] == \
            [(i, "x,y", len(s)) for i, s in zip("abcde", texts)]
        assert ("separated by" in done.err) == (separator != ",")
    if separator != ",":
        done = embed("a.csv", "--delimiter", ",")
        assert done.code == 65 and "its columns are:" in done.err


@pytest.mark.parametrize("column", ["id", "ID", "sequence_id", "Entry", "accession", "Accession"])
def test_ids_are_found_under_the_names_of_the_field(embed, tmp_path, column):
    pandas.DataFrame({"name": ["x", "y"], column: ["a", "b"], "SEQ": ["MK", "LV"]}).to_csv(
        tmp_path / "a.csv", index=False)
    done = embed("a.csv")
    assert done.code == 0 and [r["id"] for r in done.records] == ["a", "b"], done
    assert "ids are the records' numbers" not in done.err


def test_ids_that_become_numbers_are_said_and_doubts_are_asked(embed, tmp_path):
    (tmp_path / "a.csv").write_text("name,sequence\nx,MK\n")
    done = embed("a.csv")
    assert done.records[0]["id"] == "0"
    assert re.search(r"ids are the records' numbers; --id-column 'name'", done.err), done
    assert embed("a.csv", "--id-column", "name").records[0]["id"] == "x"
    (tmp_path / "b.csv").write_text("Seq,SEQ\nMK,LV\n")
    done = embed("b.csv")
    assert done.code == 2 and "'Seq', 'SEQ'" in done.err
    assert embed("b.csv", "--sequence-column", "SEQ").code == 0
    text = "sequence_id\tsequence\tsequence_alignment_aa\tsequence_vdj_aa\nq\tGAGGTG\tEV.\tEV\n"
    (tmp_path / "airr.tsv").write_text(text)
    done = embed("airr.tsv")
    assert done.code == 2
    remedy = re.search(r"--sequence-column sequence_vdj_aa", done.err)
    done = embed("airr.tsv", *remedy.group().split())
    assert done.code == 0 and [(r["id"], r["length"]) for r in done.records] == [("q", "2")]


def test_compression_is_what_it_is_whatever_the_name_says(embed, tmp_path):
    text = ("id,sequence\n" + "".join(f"r{i},{s}\n" for i, s in enumerate(sequences(60)))).encode()
    (tmp_path / "plain.csv").write_bytes(text)
    expected = embed("plain.csv").vectors.tobytes()
    made = {"gzip": gzip.compress(text), "bzip2": bz2.compress(text),
            "Zstandard": pa.compress(text, "zstd", asbytes=True)}
    made["gzip, inside it gzip"] = gzip.compress(made["gzip"])
    made["bzip2, inside it gzip"] = bz2.compress(made["gzip"])
    for what, stored in made.items():
        for name in ("a.csv", "a.csv.gz", "a"):
            (tmp_path / name).write_bytes(stored)
            done = embed(name)
            assert done.code == 0, done
            assert done.vectors.tobytes() == expected
            if name == "a":
                assert f"compressed with {what}" in done.err
        done = embed("-", stdin=stored)
        assert done.code == 0 and done.vectors.tobytes() == expected
    (tmp_path / "b.csv.gz").write_bytes(text)
    done = embed("b.csv.gz")
    assert done.code == 0 and "b.csv.gz: is not compressed, whatever its name says" in done.err
    for name in ("c.csv.xz", "c.csv.gz"):
        (tmp_path / name).write_bytes(lzma.compress(text))
        done = embed(name)
        assert done.code == 65 and "compressed with xz" in done.err, done
        pipe = re.search(r"pipe it: (xz -dc \S+) \| longhaul embed MODEL (- --format csv)",
                         done.err)
        unpacked = subprocess.run(pipe.group(1).split(), cwd=tmp_path, capture_output=True,
                                  check=True).stdout
        assert embed(*pipe.group(2).split(), stdin=unpacked).vectors.tobytes() == expected


@pytest.mark.parametrize("name", ["a.pep", "a.txt", "a", "-"])
def test_the_format_is_seen_where_the_name_is_silent(embed, tmp_path, name):
    texts = sequences(4)
    made = {"fasta": "".join(f">{i}\n{s}\n" for i, s in enumerate(texts)),
            "csv": "id;sequence\n" + "".join(f"{i};{s}\n" for i, s in enumerate(texts)),
            "tsv": "sequence\tid\n" + "".join(f"{s}\t{i}\n" for i, s in enumerate(texts)),
            "jsonl": "".join(json.dumps({"id": i, "sequence": s}) + "\n"
                             for i, s in enumerate(texts))}
    for format_name, text in made.items():
        (tmp_path / "a").unlink(missing_ok=True)
        options = {"stdin": text.encode()} if name == "-" else {}
        if name != "-":
            (tmp_path / name).write_text(text)
        done = embed(name, **options)
        assert done.code == 0, done
        assert f"read as {format_name}, by its first line" in (
            done.err if isinstance(done.err, str) else done.err.decode())
        assert [(r["id"], int(r["length"])) for r in done.records] == \
            [(str(i), len(s)) for i, s in enumerate(texts)]


def test_a_remedy_for_a_long_sequence_is_one_that_works(embed, tmp_path):
    (tmp_path / "a.csv").write_text("sequence\n" + "M" * 60 + "\nMK\n")
    (tmp_path / "short.json").write_text('{"fake": true, "max_tokens": 20}')
    done = embed("a.csv", "--max-length", "10")
    assert "a higher --max-length" in done.err


def test_a_raised_limit_is_no_remedy_at_the_models_own(longhaul_fake, tmp_path):
    (tmp_path / "a.csv").write_text("sequence\n" + "M" * 60 + "\nMK\n")
    (tmp_path / "short.json").write_text('{"fake": true, "max_tokens": 20}')
    done = longhaul_fake("embed", "short.json", "a.csv", "-o", "out", cwd=tmp_path)
    assert done.code == 3, done
    assert "use --retry-rejects --too-long truncate" in done.err and "--max-length" not in done.err


def test_rows_of_blank_cells_are_counted_across_stops(longhaul_fake, tmp_path):
    texts = sequences(300)
    lines = ["id,note,sequence"]
    for row, text in enumerate(texts):
        lines += [f"r{row},x,{text}"] + (["", ",,", ' ,"",'] if row % 3 == 0 else [])
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n,,\n")
    frame = pandas.read_csv(tmp_path / "a.csv", skipinitialspace=True)
    blank = int(frame.isna().all(axis=1).sum())
    (tmp_path / "slow.json").write_text('{"fake": true, "rows_per_second": 150}')
    code, stops = 75, 0
    while code == 75:
        done = longhaul_fake("embed", "slow.json", "a.csv", "-o", "out", "--window", 16, "-b", 8,
                             "--commit-every", 0, "--time-limit", f"{300 + 100 * stops}ms",
                             cwd=tmp_path)
        code, stops = done.code, stops + 1
        assert code in (0, 75), done
    assert stops > 2
    records = table(tmp_path / "out" / "records.csv")
    assert [r["id"] for r in records] == [f"r{i}" for i in range(300)]
    report = json.loads((tmp_path / "out" / "run.json").read_text())
    assert report["left_out"] == {"blank rows": blank} and blank == 201
    assert "left out: 201 blank rows" in done.err
