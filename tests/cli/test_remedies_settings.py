"""A remedy is a promise: messages about flags, files of settings and the command line, followed."""

import json

import pytest

from remedies import Trial, cannot_follow, follows

VALIDATE = "lib/config/validate_config.cpp"
FILE = "lib/config/config_file.cpp"
RESOLVE = "lib/config/resolve_config.cpp"
MAIN = "apps/longhaul/main.cpp"


@pytest.fixture
def t(longhaul_fake, tmp_path):
    return Trial(longhaul_fake, tmp_path)


@follows(VALIDATE, "--batch-size and --batch-tokens exclude", "--order input cuts batches",
         "--strict and --max-rejects exclude", "--quiet and --progress exclude",
         "--quiet and --log-level below", "is given twice", "--retry-rejects runs in one process",
         "--retry-rejects and --overwrite exclude")
@pytest.mark.parametrize("flags, remedy, instead", [
    (["-b", 4, "--batch-tokens", 99], "give one of them", ["--batch-tokens", 99]),
    (["--order", "input", "--batch-tokens", 99], "give --batch-size instead",
     ["--order", "input", "--batch-size", 2]),
    (["--strict", "--max-rejects", 1], "give one of them", ["--max-rejects", 0]),
    (["--progress", "bar"], "give one of them", []),
    (["--log-level", "debug"], "give one of them", []),
    (["--keep-column", "label", "--keep-column", "label"], "give it once",
     ["--keep-column", "label"]),
    (["--retry-rejects", "--recycle-every", 2], "leave out --recycle-every", []),
    (["--retry-rejects", "--overwrite"], "the other deletes it", ["--overwrite"]),
])
def test_contradictions(t, flags, remedy, instead):
    t.fails(2, remedy, *t.embed(*flags))
    t.works(*t.embed(*instead))
    assert t.vectors().shape == (4, 8)


@follows(VALIDATE, "--pooling mean-compat depends on")
def test_mean_compat(t):
    remedy = "add --order input --batch-size N (the original used 8 or 32), or use --pooling mean"
    t.fails(2, remedy, *t.embed("--pooling", "mean-compat"))
    t.fails(2, remedy, *t.embed("--pooling", "mean-compat", "-b", 8))
    t.works(*t.embed("--pooling", "mean-compat", "--order", "input", "--batch-size", 8))
    t.works(*t.embed("--pooling", "mean", "--overwrite"))


@follows(VALIDATE, "--sequence-column has no meaning", "--id-column has no meaning",
         "--skip-lines has no meaning", "--allow-nucleotides has no meaning",
         "--delimiter has no meaning")
@pytest.mark.parametrize("format_, flags, rest", [
    ("fasta", ["--sequence-column", "x"], []), ("fasta", ["--delimiter", ";"], []), ("fasta", ["--id-column", "x"], []),
    ("parquet", ["--skip-lines", 1], None), ("images", ["--allow-nucleotides"], None)])
def test_flags_without_a_meaning(t, format_, flags, rest):
    t.input = t.write("in.fasta", ">a\nACDEF\n")
    t.fails(2, "leave it out", *t.embed("--format", format_, *flags))
    if rest is not None:
        t.works(*t.embed("--format", format_, *rest))


@follows(VALIDATE, "standard input ('-') is given twice", "a recycled process cannot read")
def test_standard_input(t):
    t.fails(2, "it can be read once", "embed", t.model, "-", "-", "-o", t.out)
    t.works("embed", t.model, "-", "-o", t.out, "-q", "--format", "csv", stdin=t.input.read_text())
    t.fails(2, "give a file, or leave out --recycle-every", "embed", t.model, "-", "-o", t.out,
            "--recycle-every", 1)
    t.works(*t.embed("--overwrite", "--recycle-every", 1))


@follows(VALIDATE, "no model is given", "no input is given", "no output directory is given")
@pytest.mark.parametrize("count", [1, 2, 3])
def test_positions(t, count):
    given = ["embed", t.model, t.input, "-o", t.out]
    line = t.fails(2, "usage: longhaul embed MODEL INPUT... -o OUT", *given[:count])
    assert "is given" in line
    t.works(*given, "-q")


@follows(RESOLVE, "is given twice")
def test_a_flag_given_twice(t):
    t.fails(2, "give it once", *t.embed("--window", 64, "--window", 65))
    t.works(*t.embed("--window", 64))


@follows(RESOLVE, "is not a list of texts")
def test_a_variable_with_a_list(t):
    t.fails(2, 'write one name, or ["a", "b"]', *t.embed(), env={"LONGHAUL_KEEP_COLUMN": "[label"})
    t.works(*t.embed(), env={"LONGHAUL_KEEP_COLUMN": "label"})
    t.works(*t.embed("--overwrite"), env={"LONGHAUL_KEEP_COLUMN": '["label"]'})


cannot_follow(RESOLVE, "is not a flag", "the parser of the command line refuses it before")


@follows("lib/config/setting_values.cpp", "allowed: ")
@pytest.mark.parametrize("flag, bad, allowed, good", [
    ("--device", "gpu", "auto, cpu, cuda, cuda:N, mps", "auto"),
    ("--window", "0", "1 to", "1"), ("--commit-every", "soon", "250ms", "250ms"),
    ("--memory-limit", "much", "such as", "4G"), ("--max-rejects", "some", "a share from", "5%"),
    ("--pooling", "avg", "mean", "mean"), ("--order", "random", "input", "input"),
    ("--dtype", "fp64", "fp32", "fp32"), ("--too-long", "cut", "truncate", "truncate"),
    ("--unknown", "x", "token", "token"), ("--log-level", "loud", "warn", "warning"),
])
def test_bad_values_say_what_is_allowed(t, flag, bad, allowed, good):
    assert allowed in t.fails(2, "allowed: ", *t.embed(flag, bad))
    t.works(*t.embed(flag, good))


CONFIGURATIONS = [
    ('{"batch_size": 4}', "did you mean 'batch-size'?", '{"batch-size": 4}'),
    ('{"zzzzzz": 4}', "allowed: model, inputs", '{"inputs": ["in.csv"]}'),
    ('{"overwrite": true}', "remove it and give --overwrite", "{}"),
    ('{"window": [1, 2]}', "give N", '{"window": 2}'),
    ('{"window": {"a": 1}}', "give N as text or a number", '{"window": "2"}'),
    ('{"strict": 3}', "allowed: true, false", '{"strict": true}'),
    ('{"model": 3}', "give the model file as text", '{"model": "model.json"}'),
    ('{"inputs": [3]}', "give a list of files or folders", '{"inputs": ["in.csv"]}'),
    ('[]', 'write {"batch-size": 32, ...}', '{"batch-size": 32}'),
    ('32', 'write {"batch-size": 32, ...}', '{"batch-size": 32}'),
    ('{"settings": 3}', "give a run.json as longhaul wrote it", None),
    ('{"window": 2,}', "correct the file", '{"window": 2}'),
    ('{"window": 2, "window": 3}', "keep one of them", '{"window": 3}'),
]


@follows(FILE, "is not a value for it", "takes one value, not a list", "is not a setting",
         "is only allowed on the command line", "model is not a path",
         "holds something that is not a path", "is not a JSON object", "settings is not an object",
         "is not JSON", "is given twice")
@pytest.mark.parametrize("bad, remedy, good", CONFIGURATIONS)
def test_configuration_files(t, bad, remedy, good):
    path = t.write("c.json", bad)
    t.fails(2, remedy, *t.embed("--config", path))
    if good is None:
        t.works(*t.embed())
        t.works("embed", "--config", t.out / "run.json", "-q")
    else:
        path.write_text(good)
        t.works(*t.embed("--config", path))
    if "overwrite" in bad:
        t.works(*t.embed("--config", path, "--overwrite"))


@follows("apps/longhaul/config_options.cpp", ": is a folder", ": cannot be read")
def test_a_configuration_that_is_no_file(t):
    remedy = "give a JSON file, or the run.json of an output"
    t.fails(2, remedy, *t.embed("--config", t.folder))
    t.fails(2, remedy, *t.embed("--config", t.folder / "none.json"))
    t.works(*t.embed("--config", t.write("c.json", "{}")))
    t.works("embed", "--config", t.out / "run.json", "-q")


@follows("apps/longhaul/console.cpp", "--log-file")
def test_a_log_that_cannot_be_written(t):
    t.fails(74, "name a file that can be written", *t.embed("--log-file", t.folder))
    t.works(*t.embed("--log-file", t.folder / "x"))


@follows(MAIN, "is not a command", "error.what()", "is not expected here", "does one of: ")
def test_the_command_line(t):
    assert "did you mean 'embed'?" in t.fails(2, "did you mean", "embd", t.model)
    assert "inspect" in t.fails(2, "commands: ", "qwertyuiop")
    t.fails(2, "did you mean --batch-size? See longhaul embed --help", *t.embed("--batchsize", 2))
    assert "--batch-size" in t.works("embed", "--help").out
    t.works(*t.embed("--batch-size", 2))
    t.fails(2, "see longhaul inspect --help", "inspect", t.model, "again")
    t.works("inspect", t.model)
    t.fails(2, "name one; see longhaul probe --help", "probe")
    assert "fit" in t.works("probe", "--help").out
    t.fails(2, "see longhaul probe fit --help", "probe", "fit", t.out)
    assert "-o" in t.works("probe", "fit", "--help").out


cannot_follow(MAIN, "internal error: ", "no way to it is known; whoever meets one reports it")
cannot_follow(MAIN, "standard output could not be written", "a full disk, or a reader that is gone: "
              "test_stops.py has the code and the line")
cannot_follow(MAIN, "out of memory before anything was begun", "needs a machine without memory")


@follows("apps/longhaul/recycle.cpp", "is the program's own")
def test_a_flag_of_the_programs_own(t):
    t.fails(2, "leave it out: the same command continues a run", *t.embed("--continuation", "x"))
    t.works(*t.embed())


cannot_follow("apps/longhaul/recycle.cpp", "could not start itself anew",
              "an exec that fails; the same command is what test_recycle.py gives after a kill")


@follows("lib/session/session_checks.cpp", "need files, not a stream")
def test_recycling_a_stream(t):
    t.fails(2, "write the stream to a file first", "embed", t.model, "/dev/stdin", "-o", t.out,
            "--format", "csv", "--recycle-every", 1, stdin=t.input.read_text())
    t.works(*t.embed("--recycle-every", 1))


cannot_follow("lib/session/disk_space.cpp", "not enough disk", "a full disk")
cannot_follow("lib/base/posix_", "cannot write", "a full disk: test_faults.py fills one")
cannot_follow("lib/base/start_thread.cpp", "another thread", "raising a limit of the system: "
              "test_memory.py lowers it")
cannot_follow("apps/longhaul/backend_none.cpp", "no LibTorch", "another build")


@follows("lib/session/session_checks.cpp", "--skip-duplicates dhash is for images")
@follows("lib/session/session_checks.cpp", "--skip-duplicates does not go with --order input")
def test_duplicates_of_sequences(t):
    t.fails(2, "use --skip-duplicates exact", *t.embed("--skip-duplicates", "dhash"))
    t.fails(2, "use --order length", *t.embed("--skip-duplicates", "exact", "--order", "input"))
    t.works(*t.embed("--skip-duplicates", "exact", "--order", "length"))
    t.works(*t.embed("--overwrite", "--order", "input"))


@follows("lib/session/session_checks.cpp", "--fast-decode is about JPEG files")
def test_images_alone_are_decoded(t):
    t.fails(2, "leave it out", *t.embed("--fast-decode"))
    t.works(*t.embed())


@follows("lib/session/encoder_options.cpp", "--max-length")
@follows("lib/prepare/sequence_preprocessor.cpp", "--max-length")
def test_lengths(t):
    t.model.write_text(json.dumps({"fake": True, "max_tokens": 30}))
    t.fails(2, "leave it out to use the model's own limit", *t.embed("--max-length", 31))
    t.works(*t.embed())
    t.fails(2, "it counts the 2 special tokens too", *t.embed("--overwrite", "--max-length", 2))
    t.works(*t.embed("--overwrite", "--max-length", 3, "--too-long", "truncate"))
