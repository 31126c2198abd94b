"""Completion in the real shells, and the manual page by the real man."""

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time

import pytest
from remedies import follows

SHELLS = ["bash", "zsh", "fish"]
# bash and zsh run a function in place of the program: it says what was completed.
STUB = 'longhaul() { echo "RAN:$*:"; }\n'


def needed(program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed (scripts/setup)")


@pytest.fixture
def place(tmp_path, longhaul_fake):
    """A folder with a model, an input and a directory, and the three scripts."""
    (tmp_path / "work").mkdir()
    for name in ("model.ts", "my input.fasta", "folded.csv"):
        (tmp_path / "work" / name).write_text("")
    (tmp_path / "work" / "folder").mkdir()
    for shell in SHELLS:
        made = longhaul_fake("completion", shell)
        assert made.code == 0 and made.err == "", made
        (tmp_path / f"completion.{shell}").write_text(made.out)
    return tmp_path


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, command, folder, environment):
        self.main, terminal = pty.openpty()
        self.process = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=folder / "work",
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb",
                 "LC_ALL": "C.UTF-8", **environment})
        os.close(terminal)
        self.text = ""
        self.read_to("READY> ")

    def read_to(self, pattern):
        """What comes up to the pattern. The limit ends a test that hangs, and nothing else."""
        end = time.monotonic() + 120
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < end, self.text
            if select.select([self.main], [], [], 1)[0]:
                self.text += os.read(self.main, 65536).decode(errors="replace")
        self.text = self.text[found.end():]
        return found

    def runs(self, keys):
        """The arguments that the keys, tabs among them, gave the command."""
        os.write(self.main, keys.encode() + b"\n")
        given = self.read_to(r"RAN:(.*?):\s")[1].replace("=", " ").split()
        return [word.rstrip("/") for word in given]  # zsh takes the slash off again

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.main)


@pytest.fixture
def terminal(place, request):
    shell = request.param
    needed(shell)
    if shell == "bash":
        rc = place / "bashrc"
        rc.write_text(f"{STUB}source {place}/completion.bash\nPS1='READY> '\n"
                      "bind 'set enable-bracketed-paste off'\n")
        made = Terminal(["bash", "--noprofile", "--rcfile", str(rc), "-i"], place, {})
    else:
        (place / "functions").mkdir()
        (place / "completion.zsh").rename(place / "functions" / "_longhaul")
        (place / ".zshrc").write_text(
            f"{STUB}fpath=({place}/functions $fpath)\nautoload -Uz compinit\n"
            f"compinit -u -d {place}/dump\nbindkey -e\nunsetopt prompt_sp\nPS1='READY> '\n")
        made = Terminal(["zsh", "-d", "-i"], place, {"ZDOTDIR": str(place)})
    yield made
    made.close()


@pytest.mark.parametrize("terminal", ["bash", "zsh"], indirect=True)
def test_a_shell_completes_commands_flags_words_and_files(terminal):
    assert terminal.runs("longhaul em\t--dty\tb\t") == ["embed", "--dtype", "bf16"]
    assert terminal.runs("longhaul embed mod\tmy\t") == ["embed", "model.ts", "my", "input.fasta"]
    assert terminal.runs("longhaul neighbours --metr\tl2\t") == ["neighbours", "--metric", "l2"]
    assert terminal.runs("longhaul neighbours --metric l\t") == ["neighbours", "--metric", "l2"]
    # A directory alone, though a file begins alike.
    assert terminal.runs("longhaul embed -o fol\t") == ["embed", "-o", "folder"]
    assert terminal.runs("longhaul embed --output fol\t") == ["embed", "--output", "folder"]
    assert terminal.runs("longhaul embed --files-from folded\t") == ["embed", "--files-from",
                                                                     "folded.csv"]
    assert terminal.runs("longhaul pro\tpred\t--allow-mis\t") == ["probe", "predict",
                                                                  "--allow-mismatch"]
    assert terminal.runs("longhaul probe cv --group seq\t") == ["probe", "cv", "--group",
                                                                "sequence"]
    assert terminal.runs("longhaul export folder --to p\t") == ["export", "folder", "--to",
                                                                "parquet"]
    assert terminal.runs("longhaul comp\tfi\t") == ["completion", "fish"]
    assert terminal.runs("longhaul help merg\t") == ["help", "merge"]


@pytest.mark.parametrize("terminal", ["bash", "zsh"], indirect=True)
def test_a_word_behind_an_equals_sign_is_completed(terminal):
    assert terminal.runs("longhaul embed --dtype=b\t") == ["embed", "--dtype", "bf16"]
    assert terminal.runs("longhaul embed --unknown=t\tmod\t") == ["embed", "--unknown", "token",
                                                                  "model.ts"]


def fish(place, *lines):
    """What fish offers for each line."""
    needed("fish")
    script = f"source {place}/completion.fish\n" + "".join(
        f"echo '== {i}'\ncomplete -C {line!r}\n" for i, line in enumerate(lines))
    done = subprocess.run(["fish", "--no-config", "-c", script], cwd=place / "work", text=True,
                          capture_output=True, env={"PATH": os.environ["PATH"],
                                                    "HOME": str(place), "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return [[line.split("\t")[0] for line in part.splitlines()[1:]]
            for part in done.stdout.split("== ")[1:]]


def words_of_help(text, pattern):
    return set(re.findall(pattern, text, re.M))


def test_fish_offers_every_command_flag_and_word(place, longhaul_fake):
    commands = words_of_help(longhaul_fake("--help").out, r"^  ([a-z]+) ")
    full = longhaul_fake("embed", "--help-all").out
    flags = words_of_help(full, r"(--[a-z][a-z0-9-]+)(?:,| [A-Z]|\s*$|  )")
    named = ["dtype", "pooling", "format", "device", "progress", "too-long"]
    offered = fish(place, "longhaul ", "longhaul embed --", "longhaul probe ", "longhaul help ",
                   "longhaul embed mo", "longhaul embed -o fol", "longhaul probe cv --gr",
                   "longhaul embed model.ts -q --unkn", "longhaul export --to ",
                   *(f"longhaul embed --{name} " for name in named))
    assert set(offered[0]) == commands and set(offered[3]) == commands
    assert {"--dtype", "--config", "--tokens", "--on-leak"} <= flags <= set(offered[1])
    assert not any("continuation" in flag or "share-of" in flag for flag in offered[1])
    assert offered[2] == ["cv", "fit", "predict"]
    assert offered[4] == ["model.ts"] and offered[5] == ["folder/"]
    assert offered[6:9] == [["--group"], ["--unknown"], ["h5", "parquet"]]
    words = dict(zip(named, map(set, offered[9:])))
    assert words["dtype"] == {"fp32", "bf16", "fp16"}
    assert words["pooling"] == {"mean", "mean-compat", "cls", "max", "none", "card"}
    assert words["format"] == {"fasta", "csv", "tsv", "jsonl", "parquet", "images", "auto"}
    assert words["device"] == {"auto", "cpu", "cuda", "mps"}
    assert {"bar", "lines", "json"} < words["progress"] and {"reject", "truncate"} <= words["too-long"]


def test_every_word_that_is_offered_is_taken(place, longhaul_fake):
    for flag, words in re.findall(r"^complete -c longhaul -n '__longhaul_at embed'.* -l (\S+) -x "
                                  r"-a '([a-z0-9 -]+)'", (place / "completion.fish").read_text(),
                                  re.M):
        for word in words.split():
            told = longhaul_fake("embed", f"--{flag}", word, "--print-config")
            assert told.code == 0 or "is not one of" not in told.err, told


def test_the_manual_page_has_every_command_and_flag(place, longhaul_fake):
    needed("man")
    page = place / "longhaul.1"
    page.write_text(longhaul_fake("man").out)
    shown = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True,
                           env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80",
                                "MAN_KEEP_FORMATTING": "", "PAGER": "cat", "MANPAGER": "cat"})
    assert shown.returncode == 0 and shown.stderr == "", shown.stderr
    text = re.sub(r".\x08", "", shown.stdout)
    assert all(len(line) <= 80 for line in text.splitlines())
    helps = longhaul_fake("--help").out
    for command in words_of_help(helps, r"^  ([a-z]+) "):
        assert re.search(rf"^ +{command}\b", text, re.M), command
        full = longhaul_fake(command, "--help-all").out
        for flag in words_of_help(full, r"^  (?:-\w,)?(--[a-z][a-z0-9-]+)"):
            assert flag in text, (command, flag)
    codes = re.findall(r"= (\d+),", (pathlib.Path(__file__).resolve().parents[2] /
                                     "lib/base/error.hpp").read_text())
    status = text.split("EXIT STATUS")[1]
    assert re.findall(r"^       (\d+) ", status, re.M) == codes


@follows("apps/longhaul/completion.cpp", "is no shell that is known here")
def test_another_shell_is_refused(longhaul_fake):
    done = longhaul_fake("completion", "csh")
    assert done.code == 2 and done.out == "", done
    for shell in done.err.strip().split("shells: ")[1].split(", "):
        assert longhaul_fake("completion", shell).out
