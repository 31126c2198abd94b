#!/usr/bin/env python3
"""Writes a folder of generated photograph-like images: smooth shapes, texture and noise.

  scripts/make_images.py OUT --count 100 --size 1200x900 --format jpg --seed 1

The same arguments give the same pictures. Files are spread over sub-folders of 1,000."""

import argparse
import pathlib

import own_python

if __name__ == "__main__":
    own_python.need("numpy", "PIL")

import numpy as np
from PIL import Image

PER_FOLDER = 1000


def picture(width, height, seed):
    """A picture as uint8 [height, width, 3]: broad colour waves, edges, fine texture, noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    side = max(width, height)
    image = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        fx, fy, phase = rng.uniform(0.5, 4, 3)
        image[..., channel] = 128 + 70 * np.sin(2 * np.pi * (fx * x + fy * y) / side + phase)
    for _ in range(6):
        cx, cy, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.05, 0.3) * side
        inside = (x - cx) ** 2 + (y - cy) ** 2 < radius ** 2
        image[inside] = image[inside] * 0.3 + rng.uniform(0, 255, 3) * 0.7
    image += 12 * np.sin(x * 0.9 + y * 0.4)[..., None]
    image += rng.normal(0, 6, image.shape).astype(np.float32)
    return np.clip(image, 0, 255).astype(np.uint8)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--size", default="640x480", help="width x height; every third is portrait")
    parser.add_argument("--format", default="jpg", choices=["jpg", "png", "webp", "bmp", "tif"])
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    for i in range(arguments.count):
        size = (height, width) if i % 3 == 2 else (width, height)
        folder = arguments.out / f"{i // PER_FOLDER:04d}"
        folder.mkdir(parents=True, exist_ok=True)
        options = {"quality": 90} if arguments.format in ("jpg", "webp") else {}
        image = Image.fromarray(picture(*size, arguments.seed * 1_000_003 + i))
        image.save(folder / f"{i:06d}.{arguments.format}", **options)


if __name__ == "__main__":
    main()
