#!/usr/bin/env python3
"""Exports AntiBERTy as a TorchScript archive with a card:
export_antiberty.py OUT.ts, which is longhaul.export.antiberty of python/."""

import functools
import pathlib

import own_python

if __name__ == "__main__":
    own_python.need("torch", "transformers")
    own_python.use_package()

    from longhaul.export import antiberty
    from longhaul.export.shared import run

    run(functools.partial(antiberty.main, cache=pathlib.Path(own_python.ROOT, ".cache")))
