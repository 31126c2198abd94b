"""Reading, seen through the program: every format, bad records, inputs that cannot be read."""

import csv
import gzip
import io
import json
import os
import random
import subprocess

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


@pytest.fixture
def embed(longhaul_fake, tmp_path):
    """Embeds with the fake encoder; the result also holds what the output directory says."""
    model = tmp_path / "fake.json"
    model.write_text('{"fake": true}')

    def run(*arguments, out="out", **options):
        done = longhaul_fake("embed", model, *arguments, "-o", tmp_path / out, "--overwrite",
                             cwd=tmp_path, **options)
        folder = tmp_path / out
        done.records = table(folder / "records.csv")
        done.rejects = table(folder / "rejects.csv")
        path = folder / "embeddings.npy"
        done.vectors = np.load(path) if path.exists() else None
        return done
    return run


def table(path):
    if not path.exists():
        return None
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sequences(count, seed=1):
    source = random.Random(seed)
    return ["".join(source.choices(RESIDUES, k=source.randint(5, 40))) for _ in range(count)]


def write_csv(path, names, rows, **dialect):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, **dialect)
        out.writerow(names)
        out.writerows(rows)
    return path


def test_every_format_gives_the_same_vectors_ids_and_hashes(embed, tmp_path):
    rows = [(f"00{i}", s) for i, s in enumerate(sequences(50))]
    ids, texts = zip(*rows)
    plain = write_csv(tmp_path / "a.csv", ["id", "sequence"], rows)
    fasta = "".join(f">{i} some words\n{s[:9]}\n{s[9:]}\n" for i, s in rows)
    inputs = {
        "crlf.csv": plain.read_bytes().replace(b"\n", b"\r\n").replace(b"\r\r", b"\r"),
        "cr.csv": b"\xef\xbb\xbf# note\r" + plain.read_bytes().replace(b"\r\n", b"\r"),
        "a.tsv": plain.read_bytes().replace(b",", b"\t"),
        "a.csv.gz": gzip.compress(plain.read_bytes()),
        "a.csv.zst": pa.compress(plain.read_bytes(), "zstd", asbytes=True),
        "a.fasta": fasta.encode(),
        "a.fa.gz": gzip.compress(fasta[:700].encode()) + gzip.compress(fasta[700:].encode()),
        "a.jsonl": "".join(json.dumps({"id": i, "x": None, "sequence": s}) + "\n"
                           for i, s in rows).encode(),
    }
    for name, data in inputs.items():
        (tmp_path / name).write_bytes(data)
    text_types = {"string": pa.string(), "large": pa.large_string(),
                  "dictionary": pa.dictionary(pa.int32(), pa.string())}
    for name, kind in text_types.items():
        columns = {"label": pa.array(range(50)), "id": pa.array(ids, kind),
                   "sequence": pa.array(texts, kind)}
        pa.parquet.write_table(pa.table(columns), tmp_path / f"{name}.parquet", row_group_size=7)
    expected = embed(plain)
    assert expected.code == 0, expected
    assert [r["id"] for r in expected.records] == list(ids)
    for name in [*inputs, *(f"{kind}.parquet" for kind in text_types)]:
        got = embed(name)
        assert got.code == 0, got
        assert got.vectors.tobytes() == expected.vectors.tobytes(), name
        for column in ("id", "length", "hash", "status"):
            assert [r[column] for r in got.records] == [r[column] for r in expected.records], name
        assert {r["source"] for r in got.records} == {name}
    piped = embed("-", "--format", "csv", stdin=plain.read_bytes())
    assert piped.code == 0, piped
    assert piped.vectors.tobytes() == expected.vectors.tobytes()
    assert {r["source"] for r in piped.records} == {"-"}


def random_field(source, breaks):
    pieces = ["a", "b ", " ", ",", '"', '""', "\t", "#", "é", "日", "0.0", "NA", "'", "\\", ";",
              *breaks]
    return "".join(source.choice(pieces) for _ in range(source.randint(0, 6)))


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_fields_are_those_that_python_reads(embed, tmp_path, quoting, end):
    source = random.Random(f"{quoting} {end}")
    names = ["note", "sequence", "id", "a,b", 'q"q']
    # Python's writer leaves fields with other line breaks than its own unquoted.
    breaks = ["\n", "\r\n", "\r"] if quoting == csv.QUOTE_ALL else [end]

    def field():
        return random_field(source, breaks)
    written = [[field(), s, field(), field(), field()] for s in sequences(300)]
    write_csv(tmp_path / "a.csv", names, written, quoting=quoting, lineterminator=end)
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        read = list(csv.reader(file))[1:]
    assert len(read) == 300
    done = embed("a.csv", *(f"--keep-column={n}" for n in names if n != "id"))
    assert done.code == 0, done
    for row, (got, expected) in enumerate(zip(done.records, read, strict=True)):
        assert got["id"] == (expected[2] or str(row))
        assert [got[n] for n in names if n != "id"] == expected[:2] + expected[3:]


def test_raw_text_is_cut_into_the_records_that_python_sees(embed, tmp_path):
    # Unlike what a writer makes: ragged, with stray quotes inside fields and empty lines.
    source = random.Random(5)
    lines = ["sequence,note"]
    for s in sequences(400):
        note = source.choice(["x", "", 'a"b', 'a""', '"q,q"', '"l\nl"', '"d""d"', "e,", "é"])
        lines.append(source.choice([f"{s},{note}", s, "", f"{s},{note}", f"{s},{note}"]))
    text = "".join(line + source.choice(["\n", "\r\n", "\r"]) for line in lines)
    (tmp_path / "a.csv").write_bytes(text.encode())
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row][1:]
    done = embed("a.csv", "--keep-column", "note")
    assert done.code == 3, done
    assert len(rows) == len(done.records)
    broken = {int(r["row"]): r for r in done.rejects}
    for number, (expected, got) in enumerate(zip(rows, done.records)):
        if len(expected) == 2:
            assert got["status"] == "ok" and got["note"] == expected[1], number
            assert int(got["length"]) == len(expected[0])
        else:
            assert broken[number]["reason"] == "wrong_field_count"
            assert f"{len(expected)} fields" in broken[number]["message"]
    assert 30 < len(broken) < 200


def test_bad_records_are_rejected_by_row_line_and_reason_and_the_rest_is_embedded(embed, tmp_path):
    text = (b"# made by hand\nid,sequence,note\n"        # lines 1 and 2
            b"a,MKLV,1\n"                                # 3
            b"b,,2\n"                                    # 4
            b"c,MKLV\n"                                  # 5
            b"d,MKLV,4,5\n"                              # 6
            b"e,MK\xffLV,5\n"                            # 7
            b"f,MK-LV,6\n"                               # 8
            b'"g\ng",MKLV,7\n'                           # 9 and 10
            b'h,"MK"LV,8\n'                              # 11
            b"i,M1LV,9\n"                                # 12
            b"a,MKLV,10")                                # 13
    (tmp_path / "a.csv").write_bytes(text)
    done = embed("a.csv", "--keep-column", "note")
    assert done.code == 3, done
    assert [(r["row"], r["line"], r["reason"]) for r in done.rejects] == [
        ("1", "4", "empty"), ("2", "5", "wrong_field_count"), ("3", "6", "wrong_field_count"),
        ("4", "7", "not_utf8"), ("5", "8", "invalid_character"), ("7", "11", "bad_record"),
        ("8", "12", "invalid_character")]
    assert {r["source"] for r in done.rejects} == {"a.csv"}
    assert [r["status"] == "ok" for r in done.records] == [True] + 5 * [False] + [True] + \
        2 * [False] + [True]
    assert done.records[6]["id"] == "g\ng"
    assert [r["id"] for r in done.records].count("a") == 2
    good = [r["status"] == "ok" for r in done.records]
    assert np.isfinite(done.vectors[good]).all()
    assert np.isnan(done.vectors[np.logical_not(good)]).all()
    alone = embed(write_csv(tmp_path / "good.csv", ["seq"], 3 * [["MKLV"]]), out="good")
    assert alone.code == 0
    assert done.vectors[good].tobytes() == alone.vectors.tobytes()


def test_bad_json_lines_and_null_values_are_rejected_alone(embed, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(
        b'{"id": 1.50, "seq": "MK"}\n{"id": "b", "seq": null}\n{"id": "c"}\n{"id": "d", "seq": \n'
        b'{"id": "e", "seq": 5}\n\n["MK"]\n{"id": "\xe9", "seq": "MK"}\n{"seq": "NA"}')
    done = embed("a.jsonl")
    assert done.code == 3, done
    assert [(r["row"], r["line"], r["reason"]) for r in done.rejects] == [
        ("1", "2", "missing_value"), ("2", "3", "missing_value"), ("3", "4", "bad_json"),
        ("4", "5", "bad_record"), ("5", "7", "bad_record"), ("6", "8", "not_utf8")]
    assert [r["id"] for r in done.records] == ["1.50", "b", "c", "3", "e", "5", "6", "7"]
    column = pa.array(["MK", None, "", "LV"])
    pa.parquet.write_table(pa.table({"sequence": column}), tmp_path / "a.parquet")
    done = embed("a.parquet")
    assert [(r["row"], r["reason"]) for r in done.rejects] == [("1", "missing_value"),
                                                               ("2", "empty")]


def test_a_line_over_64_mib_is_rejected_and_reading_goes_on(embed, tmp_path):
    with open(tmp_path / "a.csv", "wb") as file:
        file.write(b"id,sequence\na,MK\nb," + b"M" * (65 << 20) + b"\nc,LV\n")
    with open(tmp_path / "b.fasta", "wb") as file:
        file.write(b">d\n" + b"M" * (65 << 20) + b"\nMK\n>e\nLV\n")
    done = embed("a.csv", "b.fasta")
    assert done.code == 3, done
    assert [(r["row"], r["line"], r["reason"]) for r in done.rejects] == [
        ("1", "3", "line_too_long"), ("3", "1", "line_too_long")]
    assert [r["id"] for r in done.records if r["status"] == "ok"] == ["a", "c", "e"]


CANNOT_BE_READ = {
    "empty.csv": (b"", 65, ["empty.csv", "0 bytes"]),
    "header.csv": (b"id,sequence\n", 65, ["header.csv", "no records"]),
    "binary.csv": (b"id,sequence\na,M\0K\n", 65, ["binary.csv", "byte 15", "line 2"]),
    "utf16.csv": ("id,sequence\na,MK\n".encode("utf-16"), 65, ["UTF-16"]),
    "quote.csv": (b'id,sequence\na,MK\n"b\nb b,MK\nc c\n' + 20 * b'd\n', 65,
                  ["quote.csv, line 3", "never closes"]),
    "no.fasta": (b"\nid,sequence\na,MK\n", 65, ["no.fasta, line 2", "'>'"]),
    "no.jsonl": (b"id,sequence\na,MK\n", 65, ["no.jsonl", "JSON"]),
    "array.jsonl": (b'[\n{"seq": "MK"}\n]\n', 65, ["array.jsonl", "JSON"]),
    "cut.csv.gz": (gzip.compress(b"id,sequence\n" + 500 * b"a,MK\n")[:-9], 65,
                   ["cut.csv.gz, byte", "damaged"]),
    "bad.csv.gz": (gzip.compress(b"id,sequence\na,MK\n")[:20] + b"id,sequence\na,MK\n", 65,
                   ["bad.csv.gz, byte", "damaged"]),
    "no.parquet": (b"id,sequence\na,MK\n", 65, ["no.parquet", "Parquet"]),
    "dna.fasta": (b">a\nACGTACGTTN\n", 65, ["nucleotides", "--allow-nucleotides"]),
    "names.csv": (b"name,Protein\na,MK\n", 65, ["'name', 'Protein'", "--sequence-column"]),
    "both.csv": (b"sequence,sequence_aa\nACG,T\n", 2, ["'sequence', 'sequence_aa'",
                                                      "--sequence-column"]),
    "what.txt": (b"MKLV\nEVQL\n", 2, ["what.txt", "--format"]),
}


@pytest.mark.parametrize("name", CANNOT_BE_READ)
def test_input_that_cannot_be_read_says_why_and_writes_no_rows(embed, tmp_path, name):
    data, code, parts = CANNOT_BE_READ[name]
    (tmp_path / name).write_bytes(data)
    done = embed(name)
    assert done.code == code, done
    last = done.err.strip().splitlines()[-1]
    for part in parts:
        assert part in last, done
    assert done.vectors is None


def test_missing_inputs_and_columns_are_named(embed, tmp_path):
    done = embed("absent.csv")
    assert done.code == 74 and "absent.csv" in done.err
    write_csv(tmp_path / "a.csv", ["name", "aa"], [["a", "MK"]])
    for flags in (["--sequence-column", "wrong"],
                  ["--sequence-column", "aa", "--id-column", "wrong"],
                  ["--sequence-column", "aa", "--keep-column", "wrong"]):
        done = embed("a.csv", *flags)
        assert done.code == 2, done
        assert "'wrong'" in done.err and "'name', 'aa'" in done.err
    done = embed("a.csv", "--sequence-column", "aa", "--id-column", "name")
    assert done.code == 0 and done.records[0]["id"] == "a"


def test_nucleotides_are_embedded_when_allowed(embed, tmp_path):
    (tmp_path / "dna.fasta").write_text(">a\nACGTACGT\n")
    assert embed("dna.fasta", "--allow-nucleotides").code == 0


def test_lines_are_skipped_and_types_are_not_guessed(embed, tmp_path):
    (tmp_path / "a.csv").write_text('a title, with "one quote\n\nid,sequence,label\n001,NA,0.0\n'
                                    "1e5,NAN,\nnull,FALSE,NA\n")
    done = embed("a.csv", "--skip-lines", "1", "--keep-column", "label")
    assert done.code == 0, done
    assert [(r["id"], r["length"], r["label"]) for r in done.records] == [
        ("001", "2", "0.0"), ("1e5", "3", ""), ("null", "5", "NA")]


def test_inputs_folders_and_lists_are_read_in_order(embed, tmp_path):
    for name in ("in/b.fasta", "in/B.fasta", "in/a/z.fasta", "in/a.fasta", "last.fasta"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f">{name}\nMKLV\n")
    (tmp_path / "in/readme.txt").write_text("nothing to read")
    order = ["in/B.fasta", "in/a/z.fasta", "in/a.fasta", "in/b.fasta"]
    done = embed("last.fasta", "in")
    assert done.code == 0, done
    assert [r["id"] for r in done.records] == ["last.fasta", *order]
    assert [r["source"] for r in done.records] == ["last.fasta", *order]
    write_csv(tmp_path / "list.csv", ["set", "path"], [["test", "in/b.fasta"], ["train", "in/a"]])
    done = embed("--files-from", "list.csv", "--keep-column", "set", "--keep-column", "description")
    assert done.code == 0, done
    assert [(r["id"], r["set"]) for r in done.records] == [("in/b.fasta", "test"),
                                                          ("in/a/z.fasta", "train")]
    (tmp_path / "list.txt").write_text("in/b.fasta\nlast.fasta\n")
    done = embed("--files-from", "list.txt")
    assert [r["id"] for r in done.records] == ["in/b.fasta", "last.fasta"]


def test_a_pipe_is_read_to_its_end(longhaul_fake, tmp_path):
    (tmp_path / "fake.json").write_text('{"fake": true}')
    texts = sequences(5000)
    os.mkfifo(tmp_path / "pipe")
    command = [longhaul_fake.path, "embed", "fake.json", "pipe", "--format", "csv", "-o", "out"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        with open(tmp_path / "pipe", "w") as pipe:
            pipe.write("sequence\n" + "\n".join(texts))
        _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    records = table(tmp_path / "out" / "records.csv")
    assert [int(r["length"]) for r in records] == [len(t) for t in texts]


def test_memory_for_reading_does_not_grow_with_a_parquet_file(longhaul_fake, tmp_path):
    # One row group of 60 MB against one of 3 MB: both are streamed.
    (tmp_path / "fake.json").write_text('{"fake": true}')
    peaks = {}
    for rows in (20_000, 400_000):
        texts = sequences(1000)
        column = pa.array([texts[i % 1000] * 5 + texts[(i * 7) % 1000] for i in range(rows)])
        pa.parquet.write_table(pa.table({"sequence": column}), tmp_path / "a.parquet",
                               row_group_size=rows, use_dictionary=False, compression="none")
        code = ("import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); "
                "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); "
                "sys.exit(done.returncode)")
        done = subprocess.run(["python3", "-c", code, longhaul_fake.path, "embed", "fake.json",
                               "a.parquet", "-o", f"out{rows}", "-q"], cwd=tmp_path,
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        peaks[rows] = int(done.stdout.split()[-1]) / 1024
    assert peaks[400_000] - peaks[20_000] < 30, peaks


def test_real_antibody_files_give_one_row_per_record(embed, shared_data):
    for name in ("boughter/VH_only_boughter.csv", "boughter/VH_only_boughter_training.csv",
                 "jain/VH_only_jain_86_p5e_s2.csv", "shehata/VH_only_shehata.csv"):
        with open(shared_data / name, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
        column = next(c for c in ("sequence", "seq", "vh_sequence") if c in rows[0])
        done = embed(shared_data / name, "--keep-column", column)
        assert done.code == 0, done
        assert [r[column] for r in done.records] == [r[column] for r in rows]
