"""LICENSE and CITATION.cff say what they should, of this version."""

import pathlib

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_citation_is_of_this_program(longhaul):
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0" and cited["message"] and cited["authors"]
    assert longhaul("--version").out.split()[:2] == ["longhaul", str(cited["version"])]
    assert cited["license"] == "MIT"


def test_the_licence_is_mit():
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License\n\nCopyright (c) ") and "The Longhaul authors" in text
