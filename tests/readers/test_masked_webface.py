"""Reader `masked_webface`: styles, scales of plain and masked images, names that do not fit, and our own export."""

import numpy as np
import pytest
import tiny_masked_webface
from tiny_masked_webface import PLAIN, picture, put

from face3d_data.errors import UserError
from face3d_data.reader import captures
from face3d_data.readers.masked_webface import MaskedWebface
from face3d_data.testing.contract import check_reader


@pytest.fixture
def root(tmp_path):
    tiny_masked_webface.write(tmp_path)
    return tmp_path


def listed(reader):
    return {(source.person, source.capture): dict(source.tags) for source in reader.scan() if not source.problem}


def problems(reader):
    return [(f"{source.person}/{source.capture}", *source.problem) for source in reader.scan() if source.problem]


def test_a_masked_image_has_its_style_and_the_scale_of_its_plain_image(root):
    reader = MaskedWebface(root=root)
    found = listed(reader)
    assert problems(reader) == []
    assert {who: tags for who, tags in found.items() if who[0] == "17"} == {
        ("17", "0"): {"number": 0, "visible_ratio": 0.618},
        ("17", "0_n95"): {"number": 0, "visible_ratio": 0.618, "mask": "n95"},
        ("17", "0_mask_5"): {"number": 0, "visible_ratio": 0.618, "mask": "mask_5"},
        ("17", "1"): {"number": 1, "visible_ratio": 1.0},
        ("17", "1_n95"): {"number": 1, "visible_ratio": 1.0, "mask": "n95"},
        ("17", "12"): {"number": 12, "visible_ratio": 0.5},
        ("17", "12_n95"): {"number": 12, "visible_ratio": 0.5, "mask": "n95"},
        ("17", "12_mask_5"): {"number": 12, "visible_ratio": 0.5, "mask": "mask_5"},
    }
    assert len(found) == 16
    assert reader.declared_tags() == ("number", "visible_ratio")
    plain = next(source for source in reader.scan() if (source.person, source.capture) == ("17", "12"))
    assert np.array_equal(reader.load(plain, "color"), picture(17, 12))
    check_reader(reader)


def test_names_that_do_not_fit_are_listed_with_what_is_expected(root):
    plain = [f"{PLAIN}/{name}.png" for name in ("0/5", "0/6_62", "0/7_0", "0/a_0.5", "loose_0.5")]
    for name in (*plain, "n95/0/1_0.5.jpg", "n95/0/99.jpg", "n95/0/6.jpg", "cloth/0/1.jpg"):
        put(root / name, picture(1))
    assert sorted(problems(MaskedWebface(root=root))) == sorted([
        ("0/5", "name_not_matched", "5: a plain image is named <number>_<scale>"),
        ("0/6", "bad_scale", "6_62: the scale is a share of the face, above 0 and up to 1"),
        ("0/7", "bad_scale", "7_0: the scale is a share of the face, above 0 and up to 1"),
        (f"{PLAIN}/0/a_0.5.png", "name_not_matched", "a_0.5.png: does not fit {style}/{identity}/{number:int}"
         "[_{visible_ratio:float}]: set another root, or pattern"),
        ("0/1_n95", "name_not_matched", "1_0.5: a masked image is named <number>: its scale is the plain image's"),
        ("0/99_n95", "no_plain_image", f"n95/0/99: there is no {PLAIN}/0/99_<scale>"),
        ("0/6_n95", "no_plain_image", f"n95/0/6: there is no {PLAIN}/0/6_<scale>"),
        ("0/1_cloth", "name_not_matched", f"1: folder 'cloth' is not a style: expected one of {PLAIN}, n95, 3m, new, "
         "mask_1, mask_2, mask_3, mask_4, mask_5"),
        (f"{PLAIN}/loose_0.5.png", "name_not_matched", "loose_0.5.png: does not fit {style}/{identity}/{number:int}"
         "[_{visible_ratio:float}]: set another root, or pattern"),
    ])  # fmt: skip


def test_two_scales_of_one_number_are_said(root):
    put(root / PLAIN / "0" / "0_0.7.png", picture(1))
    (bad,) = (source for source in captures(MaskedWebface(root=root)) if source.problem)
    assert bad.problem[0] == "same_name"
    assert "0_0.6180.png" in bad.problem[1]


@pytest.mark.parametrize("below", [PLAIN, "n95"])
def test_a_root_without_the_plain_folder_is_refused_with_the_remedy(root, below):
    wanted = f"set root to {root}$" if below == PLAIN else "set root to the folder that contains faces_webface"
    with pytest.raises(UserError, match=wanted):
        list(MaskedWebface(root=root / below).scan())


def test_a_pattern_may_add_folders_but_needs_all_names(root):
    (root / PLAIN / "0").rename(root / PLAIN / "x")
    (root / PLAIN / "part").mkdir()
    (root / PLAIN / "x").rename(root / PLAIN / "part" / "0")
    deep = MaskedWebface(root=root, pattern="{style}/{group}/{identity}/{number:int}[_{visible_ratio:float}].png")
    assert listed(deep) == {
        ("0", number): {"group": "part", "number": int(number), "visible_ratio": scale}
        for number, scale in (("0", 0.618), ("1", 1.0), ("12", 0.5))
    }
    with pytest.raises(UserError, match=r"has no \{visible_ratio\}: the usual one is"):
        list(MaskedWebface(root=root, pattern="{style}/{identity}/{number:int}.jpg").scan())


def test_the_test_tree_is_one_row_that_names_its_reader(root):
    for role in ("query", "gallery"):
        put(root / "test" / role / "3" / "0.jpg", picture(3))
    (found,) = (source for source in MaskedWebface(root=root).scan() if source.problem)
    assert found.stands_for == 2
    assert found.problem == (
        "other_format",
        f"test: 2 files of the test tree: read them with verification_sets, layout query_gallery, root {root}/test",
    )
