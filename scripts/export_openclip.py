#!/usr/bin/env python3
"""Exports an open_clip model's image tower as a TorchScript archive with a card:
export_openclip.py MODEL OUT.ts, which is longhaul.export.openclip of python/."""

import own_python

if __name__ == "__main__":
    own_python.need("open_clip", "torch", "torchvision")
    own_python.use_package()

    from longhaul.export import openclip
    from longhaul.export.shared import run

    run(openclip.main)
