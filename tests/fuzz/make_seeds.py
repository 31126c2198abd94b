#!/usr/bin/env python3
"""Writes the seeds that are no text: tests/fuzz/seeds/{tar,npz,tiff}. The same bytes each time."""

import io
import pathlib
import struct
import tarfile
import zipfile

SEEDS = pathlib.Path(__file__).resolve().parent / "seeds"


def write(name, content):
    path = SEEDS / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def tar(form):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        def add(name, content=b"", kind=tarfile.REGTYPE, link=""):
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname, info.mtime = len(content), kind, link, 1700000000
            archive.addfile(info, io.BytesIO(content))

        add("./a.jpg", b"first")
        add("a.txt", b"a caption")
        if form != tarfile.USTAR_FORMAT:
            add("deep/" + "q" * 120 + "\u00fc.png", b"second")
        add("link.jpg", kind=tarfile.LNKTYPE, link="a.jpg")
        add("folder", kind=tarfile.DIRTYPE)
        add("soft.jpg", kind=tarfile.SYMTYPE, link="a.jpg")
        length = archive.offset
    return out.getvalue()[:length] + bytes(1024)


def npy(descr, shape, content, version=1):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    before = 10 if version == 1 else 12
    header += b" " * (-(before + len(header) + 1) % 64) + b"\n"
    return (b"\x93NUMPY" + bytes([version, 0]) +
            struct.pack("<H" if version == 1 else "<I", len(header)) + header + content)


def npz(entries, force_zip64=False):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=force_zip64) as entry:
                entry.write(content)
    return out.getvalue()


def tiff(order, entries, pixels=b"\x10\x20\x30\x40\x50\x60"):
    """One strip; an entry is tag: (type 3 or 4, values)."""
    table = 8 + 2 + 12 * (len(entries) + 2) + 4
    values = b""
    rows = []

    def add(tag, kind, numbers):
        nonlocal values
        packed = struct.pack(f"{order}{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        if len(packed) > 4:
            values += packed
            packed = struct.pack(order + "I", table + len(values) - len(packed))
        rows.append(struct.pack(order + "HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0"))

    for tag, (kind, numbers) in entries.items():
        add(tag, kind, numbers)
    add(279, 4, [len(pixels)])
    add(273, 4, [table + len(values)])
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (mark + struct.pack(order + "IH", 8, len(rows)) + b"".join(sorted(rows, key=lambda row: struct.unpack(
        order + "H", row[:2]))) + bytes(4) + values + pixels)


if __name__ == "__main__":
    write("tar/ustar.tar", tar(tarfile.USTAR_FORMAT))
    write("tar/pax.tar", tar(tarfile.PAX_FORMAT))
    write("tar/gnu.tar", tar(tarfile.GNU_FORMAT))
    floats = npy("<f4", "(2, 2)", struct.pack("<4f", 1, -2.5, 3e-5, float("nan")))
    write("npz/floats.npy", floats)
    write("npz/doubles.npy", npy("<f8", "(3,)", struct.pack("<3d", 0, 1e300, -1), version=2))
    write("npz/halves.npy", npy("<f2", "(0, 4)", b""))
    write("npz/head.npz", npz({"coef.npy": floats, "classes.npy": npy("<i8", "(1,)", struct.pack("<q", -7)),
                               "step.npy": npy("<i4", "()", struct.pack("<i", 3))}))
    write("npz/zip64.npz", npz({"coef.npy": floats}, force_zip64=True))
    grey = {256: (3, [3]), 257: (3, [2]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1])}
    inks = {256: (4, [1]), 257: (4, [1]), 258: (3, [8, 8, 8, 8]), 262: (3, [5]), 274: (3, [6]), 277: (3, [4]),
            284: (3, [1]), 338: (3, [2]), 339: (3, [1, 1, 1, 1])}
    write("tiff/grey.tif", tiff("<", grey))
    write("tiff/inks.tif", tiff(">", inks))
