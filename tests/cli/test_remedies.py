"""A remedy is a promise: every message of the sources that has one is followed by a test, or named
with the reason why none can. A new message must be given one of both."""

import importlib
import pathlib

import remedies
from remedy_sources import messages

for path in sorted(pathlib.Path(__file__).parent.glob("test_*.py")):
    if "remedies" in path.read_text() and path.stem != "test_remedies":
        importlib.import_module(path.stem)


def test_every_remedy_is_followed_or_excused():
    claims = [*remedies.CLAIMS, *((file, part) for file, part, _ in remedies.NOT_FOLLOWED)]
    left = [(file, text) for file, text in messages()
            if not any(file.startswith(name) and part in text for name, part in claims)]
    assert not left, "\n".join(f"{file}: {text}" for file, text in left)


def test_no_claim_is_of_a_message_that_is_gone():
    found = messages()
    claims = [*remedies.CLAIMS, *((file, part) for file, part, _ in remedies.NOT_FOLLOWED)]
    gone = [(name, part) for name, part in claims
            if not any(file.startswith(name) and part in text for file, text in found)]
    assert not gone, gone


def test_the_sources_are_read():
    found = messages()
    assert len(found) > 200
    texts = [text for _, text in found]
    assert any("--batch-size and --batch-tokens exclude" in text for text in texts)
    assert any(text.startswith("Reason::kTruncated") for text in texts)


def test_every_excuse_has_a_reason():
    assert all(len(why) > 5 for _, _, why in remedies.NOT_FOLLOWED)
    assert len(remedies.NOT_FOLLOWED) < len(remedies.CLAIMS) / 2
