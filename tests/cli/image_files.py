"""Images made for the tests: every colour type, odd sizes, orientations; and broken ones."""

import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from make_images import picture  # noqa: E402


def exif(orientation):
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def with_alpha(image):
    alpha = Image.fromarray(np.asarray(image)[..., 1])
    return Image.merge("RGBA", (*image.split(), alpha))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(
        ">I", zlib.crc32(kind + data))


def png_of(header, rows, *others):
    """A PNG by hand, for kinds that Pillow does not write."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *header)) + b"".join(
        others) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(
        b"IEND", b"")


def ycck(path, image):
    """A JPEG of four inks as YCCK: Pillow writes plain CMYK, so the Adobe marker is changed."""
    image.convert("CMYK").save(path, quality=92)
    data = bytearray(path.read_bytes())
    at = data.find(b"Adobe")
    assert at > 0 and data[at + 11] == 0, "Pillow writes an Adobe marker with transform 0"
    data[at + 11] = 2
    path.write_bytes(data)


def photographs(folder):
    """Fills `folder`; returns the files in order."""
    folder.mkdir(parents=True, exist_ok=True)

    def save(image, name, **options):
        image.save(folder / name, **options)

    sizes = [(1, 1), (1, 7), (9, 2), (223, 224), (224, 224), (225, 223), (300, 200), (301, 199),
             (199, 301), (640, 427), (427, 640), (333, 1000), (1200, 900), (37, 1500), (2, 900)]
    for i, size in enumerate(sizes):
        save(Image.fromarray(picture(*size, i)), f"size_{size[0]}x{size[1]}.jpg", quality=90)
        save(Image.fromarray(picture(*size, i)), f"size_{size[0]}x{size[1]}.png")
    save(Image.fromarray(picture(6000, 1501, 99)), "size_6000x1501.jpg", quality=85)
    save(Image.fromarray(picture(1001, 6000, 98)), "size_1001x6000.jpg", quality=85)

    image = Image.fromarray(picture(321, 243, 7))
    grey = image.convert("L")
    for subsampling in (0, 1, 2):
        save(image, f"jpeg_subsampling{subsampling}.jpg", quality=92, subsampling=subsampling)
    save(image, "jpeg_progressive.JPG", quality=80, progressive=True)
    save(image, "jpeg_low.jpeg", quality=15, optimize=True)
    save(grey, "jpeg_grey.jpg", quality=90)
    save(image.convert("CMYK"), "jpeg_cmyk.jpg", quality=92)
    ycck(folder / "jpeg_ycck.jpg", image)
    (folder / "jpeg_trailing.jpg").write_bytes(
        (folder / "jpeg_low.jpeg").read_bytes() + b"trailing bytes")
    save(image, "jpeg_restart.jpg", quality=90, restart_marker_blocks=5)

    for mode in ("1", "L", "P", "RGB"):
        save(image.convert(mode), f"png_{mode}.PNG")
        save(image.convert(mode), f"bmp_{mode}.bmp")
        save(image.convert(mode), f"tiff_{mode}.tif")
    for bits in (1, 2, 4):
        save(image.quantize(2 ** bits), f"png_palette{bits}.png", bits=bits)
    save(image.convert("P"), "png_palette_transparent.png", transparency=3)
    save(Image.merge("LA", (grey, image.getchannel(1))), "png_LA.png")
    save(with_alpha(image), "png_RGBA.png")
    save(image, "png_RGB_transparent.png", transparency=(1, 2, 3))
    width, height = 61, 47
    samples = np.asarray(image.resize((width, height)))
    deep = samples.astype(np.uint16) * 257 + 100 * (samples < 255)
    (folder / "png_RGB16.png").write_bytes(
        png_of((width, height, 16, 2, 0, 0, 0), [r.astype(">u2").tobytes() for r in deep]))
    four = np.asarray(grey.resize((width + 1, height))) >> 4
    (folder / "png_grey4.png").write_bytes(png_of(
        (width + 1, height, 4, 0, 0, 0, 0),
        [(row[0::2] << 4 | row[1::2]).astype(np.uint8).tobytes() for row in four]))

    for mode in ("LA", "RGBA", "CMYK"):
        converted = (Image.merge("LA", (grey, image.getchannel(1))) if mode == "LA" else
                     with_alpha(image) if mode == "RGBA" else image.convert(mode))
        save(converted, f"tiff_{mode}.tiff")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        save(image, f"tiff_{compression}.tif", compression=compression)
    save(with_alpha(image), "tiff_RGBA_lzw.tif", compression="tiff_lzw")
    save(image, "bmp_RGBX.BMP")
    for lossless in (True, False):
        save(image, f"webp_{lossless}.webp", lossless=lossless, quality=80)
        save(with_alpha(image), f"webp_alpha_{lossless}.webp", lossless=lossless, quality=80)

    others = [Image.fromarray(picture(321, 243, seed)) for seed in (8, 9)]
    save(image, "webp_animated.webp", save_all=True, append_images=others, quality=60)
    save(image, "gif_animated.gif", save_all=True, append_images=others)
    save(image.convert("L"), "gif_grey.GIF")
    save(with_alpha(image).resize((90, 70)), "gif_transparent.gif")

    for orientation in range(1, 9):
        save(image, f"exif_{orientation}.jpg", quality=90, exif=exif(orientation))
        save(image, f"exif_{orientation}.png", exif=exif(orientation))
        save(image, f"exif_{orientation}.webp", quality=90, exif=exif(orientation))
        save(image, f"exif_{orientation}.tif", tiffinfo={0x0112: orientation})
    return sorted(folder.iterdir())
