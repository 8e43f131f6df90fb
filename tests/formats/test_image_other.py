"""WebP, TIFF, GIF, AVIF and HEIC: read as their twins, turned by EXIF, refused where cut off or animated."""

import builtins
import io

import numpy as np
import pytest
from PIL import Image

from face3d_data.errors import NeedsLibrary, Unreadable
from face3d_data.formats.image import read_color
from face3d_data.formats.image_header import read_image_header
from face3d_data.formats.image_other import other_kind

RGB = np.zeros((6, 10, 3), np.uint8)
RGB[:3, :5], RGB[3:, :5], RGB[:3, 5:] = (250, 10, 20), (5, 240, 30), (15, 25, 230)
LOSSLESS = {"webp": {"lossless": True}, "tiff": {}, "gif": {}}
ORIENTATION = 274
TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
}
"""What each EXIF orientation asks for (Exif 2.32, 4.6.4: the place of row 0 and column 0)."""


def saved(path, array, kind, **options):
    Image.fromarray(array).save(path, kind.upper(), **options)
    return path


@pytest.mark.parametrize("kind", LOSSLESS)
def test_pixels_are_those_that_were_saved(tmp_path, kind):
    path = saved(tmp_path / f"a.{kind}", RGB, kind, **LOSSLESS[kind])
    header = read_image_header(path)
    assert (header.kind, header.width, header.height, header.bits) == (kind, 10, 6, 8)
    assert np.array_equal(read_color(path), RGB)


def test_a_lossy_kind_is_near_what_was_saved(tmp_path):
    large = np.kron(RGB, np.ones((8, 8, 1), np.uint8))
    path = saved(tmp_path / "a.avif", large, "avif", quality=95)
    assert read_image_header(path).kind == "avif"
    assert np.abs(read_color(path).astype(int) - large).mean() < 6


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "jpeg", "packbits"])
def test_tiff_of_every_compression_is_read(tmp_path, compression):
    path = saved(tmp_path / "a.tif", RGB, "tiff", compression=compression)
    assert np.abs(read_color(path).astype(int) - RGB).mean() < (40 if compression == "jpeg" else 1e-9)


def test_grey_alpha_palettes_and_16_bits_become_rgb(tmp_path):
    grey = np.arange(60, dtype=np.uint16).reshape(6, 10) * 1000
    assert np.array_equal(read_color(saved(tmp_path / "a.tif", grey, "tiff"))[..., 1], (grey >> 8).astype(np.uint8))
    assert read_image_header(tmp_path / "a.tif").bits == 16
    alpha = np.dstack([RGB, np.full((6, 10), 7, np.uint8)])
    assert np.array_equal(read_color(saved(tmp_path / "b.webp", alpha, "webp", lossless=True, exact=True)), RGB)
    Image.fromarray(RGB).convert("L").save(tmp_path / "c.gif")
    pixels = read_color(tmp_path / "c.gif")
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


@pytest.mark.parametrize("kind", ["webp", "tiff"])
@pytest.mark.parametrize(("orientation", "turn"), TURNS.items())
def test_exif_orientation_turns_them_where_asked(tmp_path, kind, orientation, turn):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved(tmp_path / f"a.{kind}", RGB, kind, exif=exif, **LOSSLESS[kind])
    assert np.array_equal(read_color(path, turn_by_exif=True), turn(RGB))
    assert np.array_equal(read_color(path), RGB)
    assert (read_image_header(path).width, read_image_header(path).height) == (10, 6)


@pytest.mark.parametrize(
    ("kind", "said"), [("gif", "2 frames: an animation"), ("webp", "2 frames"), ("tiff", "2 pages")]
)
def test_animations_and_pages_are_refused(tmp_path, kind, said):
    path = tmp_path / f"a.{kind}"
    Image.fromarray(RGB).save(path, save_all=True, append_images=[Image.fromarray(RGB[::-1])])
    for read in (read_color, read_image_header):
        with pytest.raises(Unreadable, match=f"^unreadable: a.{kind}: has {said}"):
            read(path)


@pytest.mark.parametrize("kind", ["webp", "tiff", "gif", "avif"])
def test_cut_off_anywhere_is_refused_or_whole(tmp_path, kind):
    noise = np.random.default_rng(1).integers(0, 255, (24, 32, 3), np.uint8)
    path = saved(tmp_path / f"a.{kind}", noise, kind)
    data, whole = path.read_bytes(), read_color(path)
    refused = []
    for at in range(0, len(data), max(1, len(data) // 60)):
        path.write_bytes(data[:at])
        try:
            pixels = read_color(path)
        except Unreadable as error:
            refused.append(error.detail)
        else:
            assert np.array_equal(pixels, whole)
    assert len(refused) > 50
    assert all(detail.startswith(f"a.{kind}: ") and "\n" not in detail for detail in refused)


def test_floats_have_no_range_and_are_refused(tmp_path):
    path = saved(tmp_path / "a.tif", np.ones((4, 4), np.float32), "tiff")
    with pytest.raises(Unreadable, match="pixels of mode F"):
        read_image_header(path)


def heic_bytes():
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_heic_without_its_library_is_named_with_the_line_that_installs_it(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **options):
        if name == "pillow_heif":
            raise ImportError(name)
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    path = tmp_path / "a.heic"
    path.write_bytes(heic_bytes())
    for read in (read_color, read_image_header):
        with pytest.raises(NeedsLibrary, match=r"a\.heic: HEIC images need pillow-heif: pip install .*\[heic\]"):
            read(path)


def test_heic_is_read_with_its_library(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    large = np.kron(RGB, np.ones((16, 16, 1), np.uint8))
    stream = io.BytesIO()
    heif.from_pillow(Image.fromarray(large)).save(stream, quality=95)
    path = tmp_path / "a.heic"
    path.write_bytes(stream.getvalue())
    assert (read_image_header(path).width, read_image_header(path).height) == (160, 96)
    assert np.abs(read_color(path, turn_by_exif=True).astype(int) - large).mean() < 6
    path.write_bytes(heic_bytes())
    with pytest.raises(Unreadable, match="a damaged HEIC file"):
        read_color(path)


def test_kinds_are_told_by_their_first_bytes():
    assert other_kind(b"RIFF\0\0\0\0WEBPVP8 ") == "webp"
    assert other_kind(b"MM\0*\0\0\0\x08") == "tiff"
    assert other_kind(b"\0\0\0\x20ftypmif1\0\0\0\0mif1avif") == "avif"
    assert other_kind(heic_bytes()) == "heic"
    assert other_kind(b"\0\0\0\x20ftypisom\0\0\0\0mp42") is None
    assert other_kind(b"\xff\xd8\xff\xe0") is None
