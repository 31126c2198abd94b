#!/usr/bin/env python3
"""Exports an ESM-2, ESM-1v or ESM-1b encoder as a TorchScript archive with a card:
export_esm.py MODEL OUT.ts, which is longhaul.export.esm of python/."""

import own_python

if __name__ == "__main__":
    own_python.need("torch", "transformers")
    own_python.use_package()

    from longhaul.export import esm
    from longhaul.export.shared import run

    run(esm.main)
