#!/usr/bin/env python3
"""Exports a folder in transformers' format as a TorchScript archive with a card:
export_transformers.py FOLDER OUT.ts, which is longhaul.export.transformers_folders of python/."""

import own_python

if __name__ == "__main__":
    own_python.need("torch", "torchvision", "transformers")
    own_python.use_package()

    from longhaul.export import transformers_folders
    from longhaul.export.shared import run

    run(transformers_folders.main)
