"""The kernels as they were compiled: bits cannot tell whether a form for wide registers uses them."""

import collections
import re
import shutil
import subprocess

import pytest

from conftest import ROOT

LIBRARY = ROOT / "build" / "liblonghaul_kernels.a"


@pytest.fixture(scope="module")
def registers():
    """Of each function: how often its instructions name each kind of vector register."""
    if not LIBRARY.exists() or shutil.which("objdump") is None:
        pytest.skip(f"needs {LIBRARY} and objdump")
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "-C", LIBRARY], text=True,
                             capture_output=True, check=True).stdout
    if "x86-64" not in listing:
        pytest.skip("these forms are for x86-64")
    counts = collections.defaultdict(collections.Counter)
    function = ""
    for line in listing.splitlines():
        if title := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            function = title[1]
        counts[function].update(re.findall(r"%([xyz]mm)", line))
    return counts


def most(registers, name, register):
    return max((counts[register] for function, counts in registers.items() if name in function),
               default=0)


@pytest.mark.parametrize("name, register", [
    ("pairs_avx2<float>", "ymm"), ("pairs_avx2<longhaul::kernels::Bfloat16>", "ymm"),
    ("pairs_avx512<float>", "zmm"), ("pairs_avx512<longhaul::kernels::Bfloat16>", "zmm"),
    ("tokens_avx2<float>", "ymm"), ("tokens_avx2<longhaul::kernels::Bfloat16>", "ymm"),
])
def test_forms_use_the_registers_they_are_for(registers, name, register):
    assert most(registers, name, register) > 10


@pytest.mark.parametrize("name", ["attend_plain(", "rotate_plain("])
def test_plain_forms_run_on_any_processor(registers, name):
    assert most(registers, name, "xmm") > 10
    assert most(registers, name, "ymm") == most(registers, name, "zmm") == 0
