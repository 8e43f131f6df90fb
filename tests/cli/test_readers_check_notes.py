"""`face3d readers --check`: notes on what a reader takes for granted, or leaves."""

import cv2
import numpy as np
import pytest

from face3d_data.cli.main import main
from face3d_data.testing import write_tiny_rgbd


def check(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["readers", "--check", *map(str, arguments)])
    return stopped.value.code, capsys.readouterr().out


def test_names_with_masked_are_noted_with_the_pattern_that_joins_them(capsys, tmp_path):
    write_tiny_rgbd(tmp_path, people=2, captures=1)
    first, second = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    second.rename(tmp_path / f"{first.name}_masked")
    _, out = check(capsys, "rgbd_folder", tmp_path)
    assert f"suspected to be one person each: {first.name} and {first.name}_masked" in " ".join(out.split())
    pattern = "pattern={identity}[_{masked:flag}]/{capture}"
    _, out = check(capsys, "rgbd_folder", tmp_path, "--set", f'pattern="{pattern.partition("=")[2]}"')
    assert "suspected" not in out
    assert "people 1 captures 2" in " ".join(out.split())


def test_depth_without_a_unit_is_noted_where_it_is_not_read(capsys, tmp_path):
    write_pair(tmp_path / "anna" / "0")
    _, out = check(capsys, "rgbd_npy", tmp_path)
    assert "depth of 1 capture is not read, no file gives its unit: --set depth_scale=0.001" in " ".join(out.split())
    assert "is not read" not in check(capsys, "rgbd_npy", tmp_path, "--set", "depth_scale=0.001")[1]


def write_pair(stem):
    """Write an image and its depth as an array, as RGB-D recognisers keep them."""
    stem.parent.mkdir(parents=True)
    cv2.imwrite(f"{stem}.png", np.zeros((8, 8, 3), np.uint8))
    np.save(f"{stem}.npy", np.full((8, 8), 700, np.uint16))
