"""A remedy is a promise: messages about inputs of sequences, followed."""

import gzip
import lzma
import re
import subprocess
import tarfile

import pytest

from remedies import Trial, cannot_follow, follows

INPUT = "lib/input/"
OUTCOME = "lib/domain/outcome.cpp"


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


def given(t, name, content):
    t.input = t.write(name, content)
    return t.input


@follows(INPUT, "cannot open \" + printable(path, 400)", "is a folder, not a file")
def test_paths(t):
    good = t.input
    t.input = t.folder / "none.csv"
    t.fails(74, "check the path", *t.embed())
    t.input = good
    t.works(*t.embed())
    (t.folder / "lists").mkdir()
    remedy = "name its files, or the folder itself as an input"
    t.fails(74, remedy, "embed", t.model, "--files-from", t.folder / "lists", "-o", t.folder / "new")
    t.write("lists/a.csv", t.input.read_text())
    t.works("embed", t.model, t.folder / "lists", "-o", t.folder / "new", "-q")


@follows(INPUT, "has more than one column named", "has no column '", "that may hold the sequences",
         "has no column named 'sequence'")
@pytest.mark.parametrize("header, remedy, flags", [
    ("id,x,x", "rename all but one of them", ["--sequence-column", "x"]),
    ("id,peptide,y", "name it with --sequence-column", ["--sequence-column", "peptide"]),
    ("id,sequence,seq", "say which with --sequence-column", ["--sequence-column", "seq"]),
])
def test_columns(t, header, remedy, flags):
    given(t, "in.csv", f"{header}\na,ACDEF,MKLV\nb,GGHIK,WY\n")
    same = "x,x" in header
    t.fails(2 if same or "seq," in header or header.endswith("seq") else 65, remedy,
            *t.embed(*(flags if same else [])))
    if same:
        given(t, "in.csv", t.input.read_text().replace("x,x", "x,y"))
    t.works(*t.embed(*flags))
    line = t.fails(2, "give --sequence-column one of its columns", *t.embed(
        "--sequence-column", "protein", "--overwrite"))
    column = re.search(r"columns: .*?'?(peptide|x|sequence)'?", line)[1]
    t.works(*t.embed("--sequence-column", column, "--overwrite"))


@follows(INPUT, "close or double that quote", "the header cannot be read as")
def test_quotes(t):
    given(t, "in.csv", 'id,sequence\na,ACDEF\nb,"MKLV\nc,GGHIK\n')
    result = t.program(*t.embed(), cwd=t.folder)
    if result.code == 65 and "quote" in result.err:
        assert "close or double that quote" in result.err
    given(t, "in.csv", 'id,sequence\na,ACDEF\nb,"MKLV"\nc,GGHIK\n')
    t.works(*t.embed("--overwrite"))
    given(t, "in.csv", 'a note "x" y"\nid,sequence\na,ACDEF\n')
    assert t.program(*t.embed("--overwrite"), cwd=t.folder).code in (2, 65)
    t.works(*t.embed("--overwrite", "--skip-lines", 1))


@follows(INPUT, "is empty: no header line", "is empty: it has 0 bytes", ": no records",
         "there is no text", "holds no \" + (settings_.format")
def test_empty_inputs(t):
    for name in ("in.csv", "in.fasta", "in.jsonl"):
        given(t, name, "")
        t.fails(65, "check that it was written completely", *t.embed())
        given(t, name, "\n")
        t.fails(65, "check that", *t.embed())
    (t.folder / "bare").mkdir()
    t.input = t.folder / "bare"
    t.fails(65, "they are known by names such as x.fasta", *t.embed())
    t.write("bare/x.fasta", ">a\nACDEF\n")
    t.works(*t.embed())


@follows(INPUT, "is FASTA, where the sequence is no choice", "stands before the first '>'")
def test_fasta(t):
    given(t, "in.fasta", ">a\nACDEF\n")
    t.fails(2, "leave out --sequence-column, or say --format", *t.embed("--sequence-column", "id"))
    t.works(*t.embed())
    given(t, "note.fasta", "a note\n>a\nACDEF\n")
    t.fails(65, "or pass over lines before it with --skip-lines", *t.embed("--overwrite"))
    t.works(*t.embed("--overwrite", "--skip-lines", 1))


@follows(INPUT, "standard input is named twice", "no input is named", "correct that line")
def test_lists(t):
    t.write("list.txt", "-\n-\n")
    t.fails(2, "name '-' once", "embed", t.model, "--files-from", t.folder / "list.txt", "-o", t.out,
            "--format", "csv", stdin="x")
    t.write("list.txt", "in.csv\n")
    t.works("embed", t.model, "--files-from", t.folder / "list.txt", "-o", t.out, "-q")
    t.write("list.csv", "path,n\nin.csv,1\n,2\n")
    t.fails(65, "correct that line", "embed", t.model, "--files-from", t.folder / "list.csv", "-o",
            t.out, "--overwrite")
    t.write("list.csv", "path\nin.csv\n")
    t.works("embed", t.model, "--files-from", t.folder / "list.csv", "-o", t.out, "-q",
            "--overwrite")


@follows(INPUT, "has no column 'path'")
def test_lists_by_another_column(t):
    t.write("list.csv", "file,n\nin.csv,1\n")
    embed = ["embed", t.model, "--files-from", t.folder / "list.csv", "-o", t.out, "-q"]
    t.fails(2, "name the column of paths 'path' in its first line", *embed)
    t.write("list.csv", "path,n\nin.csv,1\n")
    t.works(*embed)
    embed[3] = t.write("table.txt", b"PAR1 and more")
    t.fails(65, "a list is text, one path a line, or CSV or TSV with a column 'path'", *embed,
            "--overwrite")
    t.write("table.txt", "in.csv\n")
    t.works(*embed, "--overwrite")


def piped(t, command):
    """What the remedy's command line does, with the program, model and output put in."""
    command = command.replace("longhaul embed MODEL", f"'{t.program.path}' embed '{t.model}'")
    command = command.replace("FORMAT", "fasta").replace("-o OUT", f"-q -o '{t.out}'")
    return subprocess.run(command, shell=True, cwd=t.folder, capture_output=True, text=True)


@follows(INPUT, "looks like a record", "would be its header")
@pytest.mark.parametrize("name, content", [
    ("in.csv", "r1,MKLVW\nr2,AKLEY\nr3,CKWEE\n"),
    ("in.tsv", "r1\tMKLVW\nr2\tAKLEY\nr3\tCKWEE\n"),
    ("a b.csv", "MKLVW;r1;x\nAKLEY;r2;x\nCKWEE;r3;x\n"),
    ("it's.csv", "r1,MKLVW\nr2,AKLEY\nr3,CKWEE\n"),
    ("in.csv", "# a note\n#id,sequence\nr1,MKLVW\nr2,AKLEY\nr3,CKWEE\n"),
])
def test_tables_without_a_header(t, name, content):
    given(t, name, content)
    t.input = name
    line = t.fails(65, " | longhaul embed MODEL - --format ", *t.embed())
    done = piped(t, line.split("; ", 1)[1].split(": ", 1)[1])
    assert done.returncode == 0, done
    rows = (t.out / "records.csv").read_text().splitlines()[1:]
    assert [row.split(",")[1] for row in rows] == ["r1", "r2", "r3"]


def test_words_that_may_be_missing_values(t):
    given(t, "in.jsonl", '{"sequence": "nan"}\n{"sequence": "MKLV"}\n')
    result = t.works(*[flag for flag in t.embed() if flag != "-q"])
    assert "where it stands for a missing value, write null without quotes" in result.err
    given(t, "in.jsonl", '{"sequence": null}\n{"sequence": "MKLV"}\n')
    t.works(*t.embed("--overwrite"), code=3)


def test_a_list_of_sequences_has_no_header(t):
    given(t, "list.txt", "MKLVW\nAKLEY\nCKWEE\n")
    t.input = "list.txt"
    t.fails(2, "say --format fasta, csv, tsv, jsonl or parquet", *t.embed())
    line = t.fails(65, "(echo sequence; cat list.txt)", *t.embed("--format", "csv"))
    assert piped(t, line.split("; ", 1)[1].split(": ", 1)[1]).returncode == 0
    assert len(t.vectors()) == 3


FASTA = ">a\nMKLVW\n>b\nAKLEY\n"


@pytest.mark.parametrize("name", ["in.fasta", "in", "in it's.fasta"])
@pytest.mark.parametrize("content, what", [
    (FASTA.encode("utf-16-le"), "is UTF-16LE text"),
    (FASTA.encode("utf-16-be"), "is UTF-16BE text"),
    (FASTA.encode("utf-16"), "is UTF-16 text"),
    (lzma.compress(FASTA.encode(), lzma.FORMAT_ALONE), "is compressed with lzma"),
    (FASTA.replace("KL", "K\0L", 1).encode(), "byte 5 (line 2) is zero"),
])
def test_what_is_no_text_is_named_and_made_text(t, name, content, what):
    given(t, name, content)
    t.input = name
    line = t.fails(65, " | longhaul embed MODEL - --format FORMAT", *t.embed())
    assert what in line
    done = piped(t, line.split("; ", 1)[1].split(": ")[-1])
    assert done.returncode == 0, done
    assert len(t.vectors()) == 2


@pytest.mark.parametrize("name", ["in.fasta", "in", "in.tar"])
def test_a_tar_archive_of_sequences(t, name):
    t.write("a.fasta", FASTA)
    with tarfile.open(t.folder / name, "w") as archive:
        archive.add(t.folder / "a.fasta", "inside.fasta")
    t.input = name
    line = t.fails(65, f"unpack it: tar -xf {name}, and give its files", *t.embed())
    assert "is a tar archive" in line
    subprocess.run(["tar", "-xf", name], cwd=t.folder, check=True)
    t.input = "inside.fasta"
    t.works(*t.embed())


@follows(INPUT, "looks like nucleotides")
def test_nucleotides(t):
    given(t, "in.fasta", "".join(f">r{i}\nACGTACGTTAGCACGTACGTTAGC\n" for i in range(30)))
    t.fails(65, "translate it to protein, or pass --allow-nucleotides", *t.embed())
    t.works(*t.embed("--allow-nucleotides"))
    given(t, "in.fasta", "".join(f">r{i}\nMKLVWYTHIS\n" for i in range(30)))
    t.works(*t.embed("--overwrite"))


@follows(INPUT, "no line is a JSON object")
def test_json_lines(t):
    given(t, "in.jsonl", "a\nb\n")
    t.fails(65, "JSON lines hold one object per line", *t.embed())
    given(t, "in.jsonl", '{"id": "a", "sequence": "ACDEF"}\n')
    t.works(*t.embed())


@follows(OUTCOME, "Reason::kTooLong", "Reason::kMissingValue", "Reason::kWrongFieldCount",
         "Reason::kBadJson", "Reason::kNotUtf8", "Reason::kUnreadable")
@pytest.mark.parametrize("name, bad, good, flags", [
    ("in.csv", f"id,sequence\na,ACDEF\nb,{'MKLV' * 200}\n", None, ["--too-long", "truncate"]),
    ("in.csv", "id,sequence,n\na,ACDEF,1\nb,nan,1\n", "id,sequence,n\na,ACDEF,1\nb,MK,1\n", []),
    ("in.csv", "id,sequence,n\na,ACDEF,1\nb,MK\n", "id,sequence,n\na,ACDEF,1\nb,MK,1\n", []),
    ("in.jsonl", '{"sequence": "ACDEF"}\n{"sequence"\n', '{"sequence": "ACDEF"}\n', []),
    ("in.csv", b"id,sequence\na,ACDEF\nb\xff,MK\n", "id,sequence\na,ACDEF\nb\u00fc,MK\n", []),
])
def test_rejects(t, name, bad, good, flags):
    given(t, name, bad)
    t.model.write_text('{"fake": true, "max_tokens": 512}')
    result = t.program("embed", t.model, t.input, "-o", t.out, cwd=t.folder)
    assert result.code in (0, 3), result
    if result.code == 3:
        assert "rejected as " in result.err
    if good is not None:
        given(t, name, good)
    t.works(*t.embed("--overwrite", *flags))


@follows(INPUT, "its header line can be separated by", "which has no delimiter")
def test_delimiters(t):
    given(t, "in.csv", "sequence;id|seq\nACDEF;a|x\n")
    t.fails(2, "say which with --delimiter", *t.embed())
    t.works(*t.embed("--delimiter", ";"))
    given(t, "in.fasta", ">a\nACDEF\n")
    t.fails(2, "leave out --delimiter", *t.embed("--overwrite", "--delimiter", ";"))
    t.works(*t.embed("--overwrite"))


@follows(INPUT, "is compressed with xz", "times over")
def test_compressions(t):
    text = ">a\nACDEF\n>b\nMKLV\n"
    given(t, "in.fasta.xz", lzma.compress(text.encode()))
    line = t.fails(65, "pipe it: xz -dc", *t.embed())
    command = re.search(r"pipe it: (.*)", line)[1].replace("longhaul embed MODEL", "LONGHAUL")
    command = command.replace("LONGHAUL", f"{t.program.path} embed {t.model}")
    command = command.replace("-o OUT", f"-o {t.out} -q")
    done = subprocess.run(command, shell=True, cwd=t.folder, capture_output=True, text=True)
    assert done.returncode == 0, (command, done.stderr)
    assert t.vectors().shape == (2, 8)
    packed = text.encode()
    for _ in range(12):
        packed = gzip.compress(packed)
    given(t, "deep.fasta.gz", packed)
    t.fails(65, "decompress it first", *t.embed("--overwrite"))
    given(t, "deep.fasta", text)
    t.works(*t.embed("--overwrite"))


@follows(INPUT, "byte 0: ", "is binary, not text", "cannot be told by its name or its first line")
@pytest.mark.parametrize("name, content, remedy", [
    ("in.csv", b"PK\x03\x04....", "unzip it, or save the spreadsheet as CSV"),
    ("in.csv", "id,sequence\na,ACDEF\n".encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
    ("in.csv", b"id,sequence\na,AC\0DE\n", "check that it is the right file"),
])
def test_what_is_no_text(t, name, content, remedy):
    good = t.input.read_text()
    given(t, name, content)
    t.fails(65, remedy, *t.embed())
    given(t, name, good)
    t.works(*t.embed())
    given(t, "data", "?? ??\n")
    t.fails(2, "say --format fasta, csv, tsv, jsonl or parquet", *t.embed("--overwrite"))
    given(t, "data", good)
    t.works(*t.embed("--overwrite", "--format", "csv"))


@follows("lib/arrow/parquet_reader.cpp", "not text", "cannot be read as Parquet")
@follows("lib/arrow/decompress.cpp", "damaged, ")
@follows(INPUT, "and Parquet is read from files", "which has no lines to skip")
def test_parquet_and_damage(t):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet
    table = pa.table({"id": ["a", "b"], "sequence": ["ACDEF", "MKLV"], "n": [1, 2]})
    t.input = t.folder / "in.parquet"
    parquet.write_table(table, t.input)
    t.fails(65, "name another with --sequence-column", *t.embed("--sequence-column", "n"))
    t.works(*t.embed("--sequence-column", "sequence"))
    t.fails(2, "leave out --skip-lines", *t.embed("--overwrite", "--skip-lines", 1))
    whole = t.input.read_bytes()
    fifo = ["embed", t.model, "/dev/stdin", "-o", t.folder / "o", "--format", "parquet"]
    t.fails(2, "save it as a file first", *fifo, stdin="PAR1")
    t.input.write_bytes(whole[:len(whole) // 2])
    t.fails(65, "check that it was written completely", *t.embed("--overwrite"))
    t.input.write_bytes(whole)
    t.works(*t.embed("--overwrite"))
    packed = gzip.compress((">a\nACDEF\n" * 2000).encode())
    given(t, "in.fasta.gz", packed[:len(packed) // 2] + b"xxxx" + packed[len(packed) // 2 + 4:])
    t.fails(65, "get the file again", *t.embed("--overwrite"))
    given(t, "in.fasta.gz", packed)
    t.works(*t.embed("--overwrite"))


cannot_follow(OUTCOME, "Reason::kLineTooLong", "a line of 64 MiB: delimited_reader_test.cpp has one")
cannot_follow(OUTCOME, "Reason::kBadRecord", "parquet_reader_test.cpp damages a file")
cannot_follow(OUTCOME, "Reason::kOutOfMemory", "a machine with more memory; memory_pressure_test.cpp")
cannot_follow(OUTCOME, "Reason::kNotFinite", "a model or device at fault")
cannot_follow(INPUT, "failed at byte", "a disk that fails: test_faults.py injects it")
cannot_follow(INPUT, "stopped while waiting for", "test_stops.py stops a run that waits")
cannot_follow(INPUT, "changed while it was read", "open_input_test.cpp changes a file under a reader")
cannot_follow(INPUT, "changed after the run began", "open_input_test.cpp does it")
cannot_follow(INPUT, "cannot read the folder", "tests run as root, who may read all")
cannot_follow(INPUT, "made without Arrow", "another build: the text's own words are what it needs")
cannot_follow("lib/arrow/parquet_reader.cpp", "changed while it was read", "needs a race")
cannot_follow("lib/arrow/decompress.cpp", "this Arrow cannot decompress", "another build of Arrow")
