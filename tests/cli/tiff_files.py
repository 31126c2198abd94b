"""TIFF files by hand, of every photometric kind and depth: Pillow writes only a few of them."""

import itertools
import struct

import numpy as np

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, INKS, YCBCR, LAB = 0, 1, 2, 3, 4, 5, 6, 8
SAMPLES = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, MASK: 1, INKS: 4, YCBCR: 3,
           LAB: 3}


def packed(samples, bits, order):
    """Rows of samples of 1, 2, 4, 8 or 16 bits as bytes."""
    if bits == 16:
        return samples.astype(order + "u2").tobytes()
    if bits == 8:
        return samples.astype(np.uint8).tobytes()
    flat = samples.reshape(samples.shape[0], -1)
    spread = (flat[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(spread.reshape(flat.shape[0], -1), axis=1).tobytes()


def tiff(samples, photometric, bits=8, extra=None, planar=1, big_endian=False, more=()):
    """`samples` is height x width x samples, whole numbers below 2 ** bits. `extra` is the kind of
    a last sample that is no colour."""
    order = ">" if big_endian else "<"
    height, width, count = samples.shape
    parts = [packed(samples, bits, order)] if planar == 1 else [
        packed(samples[..., i:i + 1], bits, order) for i in range(count)]
    short, long = 3, 4
    tags = [(256, long, [width]), (257, long, [height]), (258, short, [bits] * count),
            (259, short, [1]), (262, short, [photometric]),
            (273, long, [0] * len(parts)), (277, short, [count]), (278, long, [height]),
            (279, long, [len(p) for p in parts]), (284, short, [planar]), *more]
    if photometric == PALETTE:
        levels = np.random.default_rng(bits).integers(0, 256, (3, 2 ** bits)) * 257
        tags.append((320, short, levels.flatten().tolist()))
    if extra is not None:
        tags.append((338, short, [extra]))
    if photometric == YCBCR:
        tags.append((530, short, [1, 1]))
    tags.sort()
    at = 8 + 2 + 12 * len(tags) + 4
    outside, places = [], {}
    for tag, kind, values in tags:
        size = struct.calcsize("H" if kind == short else "I") * len(values)
        if size > 4:
            places[tag] = at
            outside.append((tag, kind, values))
            at += size
    starts = list(itertools.accumulate((len(p) for p in parts), initial=at))[:-1]
    values_of = {tag: starts if tag == 273 else values for tag, _, values in tags}

    def numbers(kind, values):
        return struct.pack(order + ("H" if kind == short else "I") * len(values), *values)

    out = (b"MM\0*" if big_endian else b"II*\0") + struct.pack(order + "IH", 8, len(tags))
    for tag, kind, values in tags:
        field = struct.pack(order + "I", places[tag]) if tag in places else numbers(
            kind, values_of[tag]).ljust(4, b"\0")
        out += struct.pack(order + "HHI", tag, kind, len(values)) + field
    out += b"\0" * 4
    for tag, kind, _ in outside:
        out += numbers(kind, values_of[tag])
    return out + b"".join(parts)


def some_samples(photometric, bits, extra=None, size=(37, 23), seed=3):
    width, height = size
    count = SAMPLES[photometric] + (extra is not None)
    return np.random.default_rng(seed).integers(0, 2 ** bits, (height, width, count))
