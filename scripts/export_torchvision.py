#!/usr/bin/env python3
"""Exports the pooled features of a torchvision or timm classifier as a TorchScript archive with a card:
export_torchvision.py MODEL OUT.ts, which is longhaul.export.torchvision_models of python/."""

import own_python

if __name__ == "__main__":
    own_python.need("safetensors", "timm", "torch", "torchvision")
    own_python.use_package()

    from longhaul.export import torchvision_models
    from longhaul.export.shared import run

    run(torchvision_models.main)
