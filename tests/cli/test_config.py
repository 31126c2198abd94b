"""Configuration through the real binary: flags, environment, files, and what is refused."""

import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def printed(longhaul):
    """Runs embed --print-config, which loads no model, and returns what it printed."""
    def run(*arguments, env=None):
        result = longhaul("embed", *arguments, "--print-config", env=env)
        assert result.code == 0, result
        return json.loads(result.out)
    return run


def refused(result, *texts):
    """A usage error: exit 2, one line on standard error, nothing on standard output."""
    assert result.code == 2, result
    assert result.out == ""
    assert len(result.err.splitlines()) == 1, result
    assert result.err.startswith("longhaul: ")
    for text in texts:
        assert text in result.err, result


def test_every_setting_is_printed_with_its_origin(printed):
    config = printed("model.ts", "a.csv", "-", "-o", "out", "-b", "32", "--keep-column", "a",
                     "--keep-column", "b", env={"LONGHAUL_DEVICE": "cpu"})
    assert config["model"] == "model.ts"
    assert config["inputs"] == ["a.csv", "-"]
    settings = config["settings"]
    assert settings["batch-size"] == {"value": 32, "origin": "flag"}
    assert settings["keep-column"] == {"value": ["a", "b"], "origin": "flag"}
    assert settings["device"] == {"value": "cpu", "origin": "environment",
                                  "variable": "LONGHAUL_DEVICE"}
    assert settings["window"] == {"value": 4096, "origin": "default"}
    assert "overwrite" not in settings
    for entry in settings.values():
        assert entry["origin"] in ("default", "file", "environment", "flag")


def test_flag_environment_file_default(printed, tmp_path):
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"window": 64, "threads": 3, "order": "input", "model": "m.ts"}))
    config = printed("--config", file, "--window", "256",
                     env={"LONGHAUL_WINDOW": "128", "LONGHAUL_ORDER": "length"})
    settings = config["settings"]
    assert config["model"] == "m.ts"
    assert settings["window"] == {"value": 256, "origin": "flag"}
    assert settings["order"]["origin"] == "environment"
    assert settings["threads"] == {"value": 3, "origin": "file"}
    assert printed(env={"LONGHAUL_CONFIG": str(file)})["settings"]["window"]["value"] == 64


def test_what_is_printed_can_be_replayed(printed, tmp_path):
    first = printed("m.ts", "a.csv", "-o", "out", "-b", "8", "--max-rejects", "2%",
                    "--commit-every", "250ms", "--memory-limit", "1.5GiB")
    file = tmp_path / "printed.json"
    file.write_text(json.dumps(first))
    again = printed("--config", file)
    assert again["model"] == "m.ts" and again["inputs"] == ["a.csv"]
    for name, entry in first["settings"].items():
        assert again["settings"][name]["value"] == entry["value"], name
    assert again["settings"]["batch-size"]["origin"] == "file"


@pytest.mark.parametrize("name", ["antibody_csv", "image_folder", "original_pipeline"])
def test_shipped_configurations_are_accepted(printed, name):
    settings = printed("--config", ROOT / "configs" / f"{name}.json")["settings"]
    assert any(entry["origin"] == "file" for entry in settings.values())


def test_a_flag_sets_aside_what_excludes_it_in_a_file(printed, tmp_path):
    file = tmp_path / "a.json"
    file.write_text('{"batch-tokens": 8192}')
    settings = printed("--config", file, "-b", "8")["settings"]
    assert settings["batch-size"]["value"] == 8
    assert settings["batch-tokens"] == {"value": "auto", "origin": "default"}


@pytest.mark.parametrize("arguments, texts", [
    (["--device", "tpu"], ["--device", "'tpu'", "auto, cpu, cuda, cuda:N, mps"]),
    (["-b", "0"], ["--batch-size", "'0'", "1 to 1000000"]),
    (["-b", "8", "-b", "9"], ["--batch-size is given twice"]),
    (["--batch-tokens", "1e3"], ["--batch-tokens", "'1e3' is not a whole number"]),
    (["--commit-every", "soon"], ["--commit-every", "'soon'", "250ms"]),
    (["--batchsize", "8"], ["'--batchsize'", "did you mean --batch-size?"]),
    (["--batch-size"], ["--batch-size"]),
    (["-b", "8", "--batch-tokens", "9"], ["--batch-size and --batch-tokens exclude each other"]),
    (["--pooling", "mean-compat"], ["mean-compat", "--order input --batch-size N"]),
    (["--strict", "--max-rejects", "3"], ["--strict and --max-rejects"]),
    (["-q", "--progress", "bar"], ["--quiet and --progress"]),
    (["--retry-rejects", "--overwrite"], ["--retry-rejects and --overwrite"]),
    (["--config", "/nonexistent.json"], ["/nonexistent.json", "No such file"]),
])
def test_bad_flags_are_named_with_what_is_allowed(longhaul, arguments, texts):
    refused(longhaul("embed", "m.ts", "a.csv", "-o", "out", *arguments, "--print-config"), *texts)


@pytest.mark.parametrize("text, texts", [
    ('{"batch_size": 8}', ["'batch_size'", "did you mean 'batch-size'?"]),
    ('{"overwrite": true}', ["overwrite", "only allowed on the command line"]),
    ('{"window": "many"}', ["window: 'many'"]),
    ('{"window": [1]}', ["window", "one value, not a list"]),
    ('{"window": 8, "window": 9}', ["'window' is given twice"]),
    ('{"window": 8,\n}', ["is not JSON: line 2"]),
    ("[]", ["is not a JSON object"]),
])
def test_bad_files_are_named(longhaul, tmp_path, text, texts):
    file = tmp_path / "bad.json"
    file.write_text(text)
    refused(longhaul("embed", "--config", file, "--print-config"), str(file), *texts)


def test_a_bad_variable_is_an_error_and_a_foreign_one_a_warning(longhaul):
    refused(longhaul("embed", "--print-config", env={"LONGHAUL_WINDOW": "x"}), "LONGHAUL_WINDOW")
    result = longhaul("embed", "--print-config",
                      env={"DEVICE": "tpu", "GPU_BATCH_SIZE": "abc", "LONGHAUL_BATCHSIZE": "8"})
    assert result.code == 0
    assert "DEVICE=tpu makes no sense" in result.err
    assert "GPU_BATCH_SIZE=abc makes no sense" in result.err
    assert "did you mean LONGHAUL_BATCH_SIZE?" in result.err


def test_foreign_variables_are_honoured_and_reported(longhaul):
    result = longhaul("embed", "--print-config",
                      env={"FORCE_CPU": "yes", "GPU_BATCH_SIZE": "16",
                           "GPU_MEMORY_CLEANUP_ENABLED": "true",
                           "GPU_MEMORY_CLEANUP_INTERVAL": "50"})
    settings = json.loads(result.out)["settings"]
    assert settings["device"] == {"value": "cpu", "origin": "environment", "variable": "FORCE_CPU"}
    assert settings["batch-size"]["value"] == 16
    assert settings["clear-cache-every"]["value"] == 4
    assert "FORCE_CPU=yes" in result.err and "GPU_BATCH_SIZE=16" in result.err


@pytest.mark.parametrize("arguments, text", [
    (["embed"], "no model is given"),
    (["embed", "m.ts"], "no input is given"),
    (["embed", "m.ts", "a.csv"], "no output directory is given"),
    (["embd"], "did you mean 'embed'?"),
    (["--nonsense"], "'--nonsense'"),
])
def test_incomplete_commands_say_what_is_missing(longhaul, arguments, text):
    refused(longhaul(*arguments), text)


def test_without_a_command_help_and_exit_2(longhaul):
    result = longhaul()
    assert result.code == 2 and result.out == ""
    assert "embed" in result.err and "--version" in result.err


def test_standard_output_that_nobody_reads_is_an_error(longhaul):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([longhaul.path, "embed", "--print-config"], stdout=writer,
                          stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode == 74
    assert done.stderr == ("longhaul: standard output could not be written; nobody reads it any "
                           "more, or its disk is full\n")
