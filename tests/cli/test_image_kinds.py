"""Every kind of image file that is decoded, against Pillow; what is not is refused by name."""

import struct

import numpy as np
import pillow_heif
import pytest
import tiff_files
from image_files import picture, with_alpha
from PIL import Image, ImageOps, features
from test_image_damage import reasons
from test_image_pixels import dump


pillow_heif.register_heif_opener()


def pillow(path):
    return np.asarray(Image.open(path).convert("RGB"))


def decoded(paths, size, orientation="ignore"):
    """(status line, RGB of the whole image or nothing) of images that are `size` pixels a side."""
    return [(line, None if pixels is None else pixels.transpose(1, 2, 0))
            for line, pixels in dump(f"{size}:{size}:bicubic:crop:{orientation}", paths)]


def check_equal(paths, size, most=0):
    for path, (line, pixels) in zip(paths, decoded(paths, size)):
        assert line == "ok", (path.name, line)
        difference = np.abs(pixels.astype(int) - pillow(path)).max()
        assert difference <= most, (path.name, difference)


# --- TIFF

RIGHT = [(tiff_files.WHITE_IS_ZERO, 1), (tiff_files.WHITE_IS_ZERO, 8),
         (tiff_files.BLACK_IS_ZERO, 1), (tiff_files.BLACK_IS_ZERO, 8),
         (tiff_files.RGB, 8), (tiff_files.RGB, 16), (tiff_files.PALETTE, 8),
         (tiff_files.INKS, 8)]
ALL = [(photometric, bits) for photometric in tiff_files.SAMPLES for bits in (1, 2, 4, 8, 16)]


@pytest.mark.parametrize("big_endian", [False, True])
def test_tiffs_are_as_pillow_has_them_or_unsupported(tmp_path, big_endian):
    paths = {}
    for photometric, bits in ALL:
        samples = tiff_files.some_samples(photometric, bits, size=(32, 32))
        path = tmp_path / f"{photometric}_{bits}.tif"
        path.write_bytes(tiff_files.tiff(samples, photometric, bits, big_endian=big_endian))
        paths[photometric, bits] = path
    results = dict(zip(paths, decoded(list(paths.values()), 32)))
    for kind, (line, pixels) in results.items():
        if kind == (tiff_files.BLACK_IS_ZERO, 16):
            assert line == "ok"  # scaled, where Pillow clips: test_image_pixels
        elif kind in RIGHT:
            assert line == "ok", (kind, line)
            assert (pixels == pillow(paths[kind])).all(), kind
        else:
            assert line.startswith("unsupported"), (kind, line)


@pytest.mark.parametrize("photometric, bits, extra, planar", [
    (tiff_files.RGB, 8, 0, 1), (tiff_files.RGB, 8, 2, 1), (tiff_files.RGB, 16, 0, 1),
    (tiff_files.RGB, 16, 2, 1), (tiff_files.BLACK_IS_ZERO, 8, 2, 1),
    (tiff_files.BLACK_IS_ZERO, 8, 0, 1), (tiff_files.RGB, 8, None, 2), (tiff_files.RGB, 8, 2, 2),
    (tiff_files.RGB, 16, None, 2), (tiff_files.INKS, 8, None, 2), (tiff_files.INKS, 8, 0, 1),
    (tiff_files.BLACK_IS_ZERO, 16, 0, 1), (tiff_files.PALETTE, 8, 0, 1),
    (tiff_files.WHITE_IS_ZERO, 8, 0, 1), (tiff_files.RGB, 8, 1, 1)])
def test_tiffs_with_more_samples_or_planes_are_right_or_unsupported(tmp_path, photometric, bits,
                                                                    extra, planar):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_files.tiff(
        tiff_files.some_samples(photometric, bits, extra, size=(32, 32)), photometric, bits, extra,
        planar))
    [(line, pixels)] = decoded([path], 32)
    if line.startswith("unsupported"):
        return
    assert line == "ok"
    try:
        expected = pillow(path)
    except OSError:
        pytest.fail("decoded, and Pillow cannot say whether it is right")
    assert (pixels == expected).all()


def test_a_tiff_whose_samples_differ_in_depth_is_unsupported(tmp_path):
    data = bytearray(tiff_files.tiff(
        tiff_files.some_samples(tiff_files.RGB, 8, size=(32, 32)), tiff_files.RGB))
    at = data.index(struct.pack("<HHH", 8, 8, 8))
    data[at:at + 6] = struct.pack("<HHH", 8, 16, 8)
    path = tmp_path / "a.tif"
    path.write_bytes(data)
    assert decoded([path], 32)[0][0].startswith("unsupported")


# --- GIF


def gif(screen, frames, palette=None, background=0, trailer=b";"):
    """A GIF by hand, stored without compression. `frames`: (left, top, indices, options)."""
    def colours(table):
        return np.asarray(table, np.uint8).tobytes()

    def table_bits(table):
        return len(table).bit_length() - 2

    out = b"GIF89a" + struct.pack("<HHBBB", *screen,
                                  0x80 | table_bits(palette) if palette else 0, background, 0)
    out += colours(palette) if palette else b""
    for left, top, indices, options in frames:
        if "transparent" in options:
            out += b"!\xf9\x04" + struct.pack("<BHB", 1, 10, options["transparent"]) + b"\0"
        local = options.get("palette")
        height, width = indices.shape
        flags = (0x80 | table_bits(local) if local else 0) | (
            0x40 if options.get("interlace") else 0)
        out += b"," + struct.pack("<HHHHB", left, top, width, height, flags)
        out += colours(local) if local else b""
        rows = list(range(height))
        if options.get("interlace"):
            rows = [*range(0, height, 8), *range(4, height, 8), *range(2, height, 4),
                    *range(1, height, 2)]
        out += bytes([7]) + literal_lzw(indices[rows].flatten())
    return out + trailer


def literal_lzw(indices):
    """Codes of 8 bits for indices below 128: a clear code before the table grows to 9 bits."""
    codes = []
    for i, index in enumerate(indices):
        if i % 100 == 0:
            codes.append(128)
        codes.append(int(index))
    codes.append(129)
    data = bytes(codes)
    blocks = [data[i:i + 255] for i in range(0, len(data), 255)]
    return b"".join(bytes([len(b)]) + b for b in blocks) + b"\0"


PLAIN = [[i * 2, 255 - i, (i * 37) % 256] for i in range(128)]
OTHER = [[255 - i * 2, i, (i * 11) % 256] for i in range(128)]
RAMP = [[i, i, i] for i in range(128)]
SHORT = [[10, 20, 30], [200, 100, 50], [9, 9, 9], [1, 2, 250]]


def indices(width, height, most=128, seed=1):
    return np.random.default_rng(seed).integers(0, most, (height, width))


@pytest.mark.parametrize("screen, frames, palette, background", [
    ((32, 32), [(0, 0, indices(32, 32), {})], PLAIN, 0),
    ((32, 32), [(0, 0, indices(32, 32), {"interlace": True})], PLAIN, 0),
    ((32, 32), [(0, 0, indices(32, 32), {"transparent": 5})], PLAIN, 0),
    ((32, 32), [(3, 7, indices(20, 10), {})], PLAIN, 9),
    ((32, 32), [(3, 7, indices(20, 11), {"transparent": 7, "interlace": True})], PLAIN, 9),
    ((32, 32), [(0, 0, indices(32, 32), {"palette": OTHER})], PLAIN, 0),
    ((32, 32), [(4, 4, indices(9, 9), {"palette": OTHER})], None, 0),
    ((32, 32), [(0, 0, indices(32, 32), {})], RAMP, 0),
    ((32, 32), [(0, 0, indices(32, 32), {})], None, 0),
    ((32, 32), [(5, 5, indices(9, 9), {"transparent": 3})], None, 0),
    ((32, 32), [(0, 0, indices(32, 32, 4), {})], SHORT, 0),
    ((32, 32), [(0, 0, indices(32, 32, 100), {})], SHORT, 0),  # numbers beyond the palette
    ((20, 20), [(2, 3, indices(30, 29), {})], PLAIN, 0),  # a frame that does not fit
    ((32, 32), [(0, 0, indices(32, 32), {}), (1, 1, indices(9, 9, seed=2), {"palette": OTHER})],
     PLAIN, 0),
    ((32, 32), [(0, 0, indices(32, 32), {"transparent": 1}),
                (0, 0, indices(32, 32, seed=2), {"transparent": 2})], PLAIN, 0),
])
def test_the_first_frame_of_a_gif_is_as_pillow_has_it(tmp_path, screen, frames, palette,
                                                      background):
    path = tmp_path / "a.gif"
    path.write_bytes(gif(screen, frames, palette, background))
    check_equal([path], 32)


def test_gifs_that_pillow_writes_are_as_it_reads_them(tmp_path):
    image = Image.fromarray(picture(60, 60, 4))
    paths = []
    for mode in ("1", "L", "P", "RGB"):
        for interlace in (0, 1):
            path = tmp_path / f"{mode}{interlace}.gif"
            image.convert(mode).save(path, interlace=interlace)
            paths.append(path)
    with_alpha(image).save(tmp_path / "alpha.gif")
    others = [Image.fromarray(picture(60, 60, seed)) for seed in range(3)]
    image.save(tmp_path / "frames.gif", save_all=True, append_images=others, comment=b"hello " * 99)
    check_equal([*paths, tmp_path / "alpha.gif", tmp_path / "frames.gif"], 60)


def test_a_gif_cut_anywhere_is_truncated_and_a_spoilt_one_damaged(tmp_path):
    whole = gif((32, 32), [(0, 0, indices(32, 32), {"transparent": 1}),
                           (0, 0, indices(32, 32, seed=3), {})], PLAIN)
    paths = []
    for i, cut in enumerate([*range(7, len(whole) - 1, 97), len(whole) - 1]):
        paths.append(tmp_path / f"{i}.gif")
        paths[-1].write_bytes(whole[:cut])
    assert {line.split()[0] for line, _ in decoded(paths, 32)} == {"truncated"}
    at = 13 + 3 * len(PLAIN) + 8  # header, colours, what the frame's transparent colour is
    assert whole[at:at + 1] == b","
    spoilt = {"no_picture.gif": whole[:at] + b";",
              "wrong_block.gif": whole[:at] + b"?" + whole[at + 1:],
              "no_pixels.gif": gif((32, 32), [(0, 0, np.zeros((0, 5), int), {})], PLAIN)}
    for name, data in spoilt.items():
        (tmp_path / name).write_bytes(data)
    for name, (line, _) in zip(spoilt, decoded([tmp_path / n for n in spoilt], 32)):
        assert line.startswith("damaged"), (name, line)


# --- WebP, AVIF, HEIC


def test_the_first_frame_of_an_animated_webp_is_as_pillow_has_it(tmp_path):
    frames = [Image.fromarray(picture(48, 48, seed)) for seed in range(4)]
    paths = []
    for name, images, options in [
            ("lossless", frames, {"lossless": True}), ("lossy", frames, {"quality": 70}),
            ("alpha", [with_alpha(f) for f in frames], {"lossless": True}),
            ("background", [with_alpha(f) for f in frames],
             {"lossless": True, "background": (200, 10, 30, 255)})]:
        paths.append(tmp_path / f"{name}.webp")
        images[0].save(paths[-1], save_all=True, append_images=images[1:], duration=50, **options)
        assert Image.open(paths[-1]).n_frames == 4
    check_equal(paths, 48)
    data = paths[0].read_bytes()
    cuts = [tmp_path / f"cut{i}.webp" for i in range(9)]
    for i, path in enumerate(cuts):
        path.write_bytes(data[:len(data) * (i + 1) // 10])
    assert {line.split()[0] for line, _ in decoded(cuts, 48)} == {"truncated"}


def test_heic_is_as_pillow_heif_has_it_but_for_how_colours_are_spread(tmp_path):
    image = Image.fromarray(picture(64, 64, 5))
    for name, pixels, chroma, most, mean in [("444", image, 444, 3, 1), ("grey", image.convert("L"),
                                                                      444, 3, 1),
                                             ("alpha", with_alpha(image), 444, 3, 1),
                                             ("420", image, 420, 256, 3)]:
        path = tmp_path / f"{name}.heic"
        pixels.save(path, quality=90, chroma=chroma)
        [(line, levels)] = decoded([path], 64)
        assert line == "ok", line
        difference = np.abs(levels.astype(int) - pillow(path))
        assert difference.max() <= most and difference.mean() < mean, (name, difference.max())


def test_a_heic_is_always_turned_as_the_file_says(tmp_path):
    image = Image.fromarray(picture(64, 64, 6))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.heic"
        image.save(path, exif=exif, quality=95, chroma=444)
        upright = pillow(path)
        for how in ("ignore", "apply"):
            [(line, pixels)] = decoded([path], 64, how)
            assert line == "ok"
            assert np.abs(pixels.astype(int) - upright).max() <= 3, (orientation, how)


def test_a_heic_cut_anywhere_is_truncated(tmp_path):
    whole = tmp_path / "a.heif"
    Image.fromarray(picture(64, 64, 7)).save(whole)
    data = whole.read_bytes()
    cuts = [tmp_path / f"{i}.heif" for i in range(1, 12)]
    for i, path in enumerate(cuts):
        path.write_bytes(data[:len(data) * (i + 1) // 13])
    assert {line.split()[0] for line, _ in decoded(cuts, 64)} == {"truncated"}


def avif_differences(tmp_path, name, image, **options):
    path = tmp_path / f"{name}.avif"
    image.save(path, **options)
    [(line, pixels)] = decoded([path], 64)
    assert line == "ok", line
    return np.abs(pixels.astype(int) - pillow(path))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif_is_as_pillow_has_it_but_for_how_colours_are_spread(tmp_path):
    image = Image.fromarray(picture(64, 64, 5))
    for name, pixels, options in [("444", image, {"subsampling": "4:4:4"}),
                                  ("grey", image.convert("L"), {}),
                                  ("alpha", with_alpha(image), {"subsampling": "4:4:4"}),
                                  ("limited", image, {"subsampling": "4:4:4", "range": "limited"})]:
        assert avif_differences(tmp_path, name, pixels, **options).max() <= 2, name
    # A quarter of the colours is stored: Pillow smooths them, libheif repeats them. Here each pixel
    # has another colour.
    assert avif_differences(tmp_path, "420", image, subsampling="4:2:0").mean() < 6


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_an_avif_is_turned_where_the_card_says_so(tmp_path):
    image = Image.fromarray(picture(64, 64, 6))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.avif"
        image.save(path, exif=exif, subsampling="4:4:4")
        stored = pillow(path)
        upright = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
        for how, expected in (("ignore", stored), ("apply", upright)):
            [(line, pixels)] = decoded([path], 64, how)
            assert line == "ok"
            assert np.abs(pixels.astype(int) - expected).max() <= 2, (orientation, how)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_a_broken_avif_is_refused_with_its_reason(tmp_path):
    whole = tmp_path / "a.avif"
    Image.fromarray(picture(64, 64, 7)).save(whole)
    data = whole.read_bytes()
    cuts = []
    for i in range(1, 12):
        cuts.append(tmp_path / f"{i}.avif")
        cuts[-1].write_bytes(data[:len(data) * i // 12])
    cuts.append(tmp_path / "last.avif")
    cuts[-1].write_bytes(data[:-1])
    assert {line.split()[0] for line, _ in decoded(cuts, 64)} == {"truncated"}
    spoilt = bytearray(data)
    at = data.index(b"mdat") + 12
    for i in range(at, len(data), 3):
        spoilt[i] ^= 0x5A
    bad = tmp_path / "bad.avif"
    bad.write_bytes(spoilt)
    assert reasons([bad]) == ["damaged"]  # a library of libheif's says a line of its own
    film = tmp_path / "film.heic"
    film.write_bytes(b"\0\0\0\x18ftypisom" + bytes(200))
    assert decoded([film], 64)[0][0].split()[0] == "not_an_image"
