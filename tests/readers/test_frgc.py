"""Reader `frgc`: people, seasons and textures from names, points exact and upright, broken recordings."""

import gzip

import numpy as np
import pytest
import tiny_frgc
from scans import face_scan
from write_frgc import frgc_points, write_abs, write_ppm

from face3d_data.errors import Unreadable
from face3d_data.readers.frgc import Frgc
from face3d_data.testing.contract import check_reader
from face3d_data.testing.orientation import check_orientation


@pytest.fixture
def root(tmp_path):
    tiny_frgc.write(tmp_path)
    return tmp_path


def found(root, **options):
    return {f"{s.person}/{s.capture}": s for s in Frgc(root=root, **options).scan()}


def problems(root):
    return {name: source.problem[0] for name, source in found(root).items() if source.problem}


def test_people_seasons_and_recordings(root):
    got = {name: (dict(s.tags), s.arrays, sorted(p.name for p in s.files.values())) for name, s in found(root).items()}
    arrays = ("grid", "grid_color", "color")
    assert got == {
        f"{who}/{season}_{number}": (
            {"session": season, "recording": number},
            arrays,
            [f"{who}d{number}{ending}", f"{who}d{number + 1}.ppm"],
        )
        for who in ("04200", "04201")
        for season, number, ending in (("Fall2003range", 450, ".abs.gz"), ("Spring2004range", 452, ".abs"))
    }


@pytest.mark.slow
@pytest.mark.parametrize("person", [0, 1])
@pytest.mark.parametrize("season", [0, 1])
def test_points_and_colours_are_those_that_were_written(root, person, season):
    reader = Frgc(root=root)
    name = ("Fall2003range_450", "Spring2004range_452")[season]
    sample = reader.sample(found(root)[f"0420{person}/{name}"])
    grid = sample.arrays["grid"]
    written = frgc_points(person, season, 28)
    assert np.array_equal(grid, (written * [1, -1, -1]).astype(np.float32), equal_nan=True)
    color = face_scan(person, season, 28).color
    assert np.array_equal(sample.arrays["color"], color)
    assert np.array_equal(sample.arrays["grid_color"], color)
    check_orientation(grid)


def test_one_season_alone_is_a_root_too(root):
    sources = list(Frgc(root=root / "Fall2003range").scan())
    assert [(s.person, s.capture, dict(s.tags)) for s in sources] == [
        ("04200", "450", {"recording": 450}),
        ("04201", "450", {"recording": 450}),
    ]


def test_the_texture_is_that_of_the_same_number_or_else_of_the_next(tmp_path):
    points, color = frgc_points(0, 0, 28), face_scan(0, 0, 28).color
    for name in ("02463d9.abs", "02463d10.abs", "02463d100.abs"):
        write_abs(tmp_path / name, points)
    write_abs(tmp_path / "02465d7.abs", points)
    for name in ("02463d9.ppm", "02463d11.ppm", "02463d102.ppm", "02464d10.ppm", "02465d7.ppm", "02465d8.ppm"):
        write_ppm(tmp_path / name, color)
    sources = found(tmp_path)
    pairs = {name: s.files["color"].name for name, s in sources.items() if not s.problem and "color" in s.files}
    assert pairs == {"02463/9": "02463d9.ppm", "02463/10": "02463d11.ppm", "02465/7": "02465d7.ppm"}
    assert sources["02463/100"].arrays == ("grid",)
    assert problems(tmp_path) == {"02463/102": "no_range", "02464/10": "no_range", "02465/8": "no_range"}


def test_a_texture_of_another_size_is_found_in_the_headers(root):
    write_ppm(root / "Fall2003range" / "04200d451.ppm", np.zeros((3, 4, 3), np.uint8))
    source = found(root)["04200/Fall2003range_450"]
    for look in (lambda: Frgc(root=root).inspect(source), lambda: Frgc(root=root).load(source, "color")):
        with pytest.raises(Unreadable) as caught:
            look()
        assert caught.value.reason == "size_mismatch"


def test_names_that_fit_nothing_are_listed(root):
    (root / "Fall2003range" / "notes.abs").write_bytes(b"x")
    (root / "Fall2003range" / "04200d450.abs").write_bytes(b"x")
    (root / "Fall2003range" / "readme.txt").write_bytes(b"x")
    (root / "Fall2003range" / "more").mkdir()
    (root / "Fall2003range" / "more" / "04200e460.abs").write_bytes(b"x")
    assert problems(root) == {
        "Fall2003range/notes.abs": "name_not_matched",
        "Fall2003range/04200d450.abs.gz": "same_name",
        "Fall2003range/more/04200e460.abs": "name_not_matched",
    }


def test_broken_recordings_have_a_reason(root):
    folder = root / "Fall2003range"
    packed = folder / "04200d450.abs.gz"
    packed.write_bytes(packed.read_bytes()[:-20])
    text = gzip.decompress((folder / "04201d450.abs.gz").read_bytes()).replace(b"480 rows", b"x")
    (folder / "04201d450.abs.gz").write_bytes(gzip.compress(text[4:]))
    sources = found(root)
    for name in ("04200", "04201"):
        with pytest.raises(Unreadable) as caught:
            Frgc(root=root).sample(sources[f"{name}/Fall2003range_450"]).arrays["grid"]
        assert caught.value.reason == "unreadable"


def test_it_keeps_the_contract(root):
    check_reader(Frgc(root=root))


def test_photographs_are_left_alone_and_the_seasons_lie_anywhere(root, tmp_path_factory):
    above = tmp_path_factory.mktemp("frgc")
    nd1 = above / "FRGC-2.0-dist" / "nd1"
    nd1.parent.mkdir()
    root.rename(nd1)
    (nd1 / "Fall2003").mkdir()
    (nd1 / "Fall2003" / "04200d300.JPG").write_bytes(b"x")
    found = {f"{s.person}/{s.capture}": s for s in Frgc(root=above).scan()}
    assert found.keys() == {f"{s.person}/{s.capture}" for s in Frgc(root=nd1).scan()}
    assert not [s for s in found.values() if s.problem]
    assert {s.tags["session"] for s in found.values()} == {"Fall2003range", "Spring2004range"}
