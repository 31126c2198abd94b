#!/usr/bin/env python3
"""Runs the C++ tests (ctest), the sanitizer builds of the core and the pytest suite, and counts
what each runner reported. With LONGHAUL_LONG each fuzzing program as well, a minute and a test each."""

import os
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import own_python

if __name__ == "__main__":
    own_python.need("pytest")

ROOT = pathlib.Path(__file__).resolve().parents[1]
# The rooms whose tests run under a sanitizer: all that read foreign bytes or manage memory, and
# those with threads.
SANITIZERS = {"asan-vision": ["base", "domain", "config", "input", "plan", "prepare", "encode", "device", "kernels",
                              "store", "export", "report", "score", "doctor", "run", "session", "launch", "vision"],
              "tsan": ["base", "input", "run", "session", "app"]}


def run(command):
    print("+", " ".join(map(str, command)), flush=True)
    return subprocess.run(command, cwd=ROOT).returncode


def counts(junit):
    """passed, failed, skipped of a JUnit file, test case by test case."""
    passed = failed = skipped = 0
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None or \
                case.get("status") == "fail":
            failed += 1
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            skipped += 1
        else:
            passed += 1
    return passed, failed, skipped


def format_check():
    """Formatting is a test like any other."""
    files = subprocess.run(["git", "ls-files", "*.cpp", "*.hpp"], cwd=ROOT, text=True,
                           capture_output=True).stdout.split()
    if not files:
        return 0, 0, 1
    print("+ clang-format --dry-run --Werror", len(files), "files", flush=True)
    code = subprocess.run(["clang-format", "--dry-run", "--Werror", *files], cwd=ROOT).returncode
    return (1, 0, 0) if code == 0 else (0, 1, 0)


def fuzz():
    """passed, failed, skipped of the fuzzing programs, each of which is one test."""
    names = sorted(source.name.removesuffix("_fuzz.cpp") for source in ROOT.glob("tests/fuzz/*_fuzz.cpp"))
    failed = [name for name in names if run(["scripts/fuzz", "60", name]) != 0]
    return len(names) - len(failed), len(failed), 0


def main():
    total = [0, 0, 0]

    def add(result, code):
        if code != 0 and result[1] == 0:
            result = (result[0], 1, result[2])  # a runner that failed without saying which test
        for i, value in enumerate(result):
            total[i] += value

    with tempfile.TemporaryDirectory() as folder:
        add(format_check(), 0)
        builds = [("build", [])]
        for preset, rooms in SANITIZERS.items():
            code = run(["scripts/build", preset, "--", *(f"test_{room}" for room in rooms)])
            if code == 0:
                builds.append((f"build-{preset}", ["-R", f"^({'|'.join(rooms)})$"]))
            else:
                add((0, 1, 0), code)
        for build, chosen in builds:
            junit = pathlib.Path(folder, build + ".xml")
            code = run(["ctest", "--test-dir", build, "--output-on-failure", "-j2", *chosen,
                        "--output-junit", junit])
            add(counts(junit) if junit.exists() else (0, 0, 0), code)
        if os.environ.get("LONGHAUL_LONG"):
            add(fuzz(), 0)
        junit = pathlib.Path(folder, "pytest.xml")
        # Two files at a time; a file's tests share its fixtures. Threads of one do not spin while they
        # wait, when those of the other have work.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        code = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/cli",
                    "-n", "2", "--dist", "loadfile", f"--junit-xml={junit}", "--durations=15"])
        add(counts(junit) if junit.exists() else (0, 0, 0), code)
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
