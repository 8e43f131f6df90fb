"""Images without depth, as typed: refused by networks of depth, recognised by networks of images."""

import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from face3d_data.cli.main import _answer
from face3d_training.registry import make_spec


def call(capsys, *arguments):
    capsys.readouterr()
    code = _answer([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def color(folder):
    """A network of images, `color.safetensors`, with fresh weights; photographs, one of them of two people; a video."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        images = [Image.open(path) for path in sorted((folder / "all").glob("*/*_color.png"))]
        for number, image in enumerate(images):
            (folder / "photos" / f"p{number // 2}").mkdir(parents=True, exist_ok=True)
            image.save(folder / "photos" / f"p{number // 2}" / f"{number % 2}_color.png")
        shutil.copytree(folder / "photos", folder / "single", ignore=lambda path, names: ["1_color.png"])
        Image.fromarray(np.hstack([np.asarray(images[0]), np.asarray(images[2])])).save(folder / "two.png")
        writer = cv2.VideoWriter(str(folder / "film.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 5, (320, 240))
        for image in images[:2]:
            writer.write(np.asarray(image)[:, :, ::-1].copy())
        writer.release()
        torch.manual_seed(0)
        torch.save(make_spec("model", "mobilenet_v2", {"embedding_size": 16}).build().state_dict(), folder / "old.pth")
        read = ("chain", "--engine", "serial", "read", "image_folder", "--root", "photos")
        chain = (*read, "detect", "--min-face", "60", "crop", "--size", "64", "--margin", "8")
        assert _answer([*chain, "write", "faces", "--fields", "color"]) == 0
        said = ("--architecture", "mobilenet_v2", "--prepared-as", "faces", "--data.image-size", "64")
        assert _answer(["export-model", "old.pth", *said, "--out", "color.safetensors"]) == 0
        assert _answer(["enroll", "single", "--into", "color.h5", "--model", "color.safetensors"]) == 0
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("given", [("photos/p0/0_color.png",), ("photos",), ("film.avi",), ("--camera", "0")])
def test_colour_alone_is_no_input_for_a_network_of_depth_and_the_line_says_what_is(color, here, capsys, given):
    before = sorted(here.iterdir())
    code, out, err = call(capsys, "identify", *given, "--gallery", "people.h5")
    assert (code, out, err.count("\n")) == (2, "", 1)
    name = "camera 0" if given[0] == "--camera" else given[0]
    assert err == (
        f"face3d: {name}: it has color alone, and the network's preparation begins with depth, intrinsics: give depth "
        "beside it or a scan, or by --model a network that learnt from color, such as of face3d train --config arcface "
        "(docs/how_to/recognition.md)\n"
    )
    assert sorted(here.iterdir()) == before
    if given[0].endswith(".png"):
        assert call(capsys, "compare", given[0], given[0])[2] == err
        assert "begins with depth, intrinsics: give depth" in call(capsys, "enroll", "photos", "--into", "n.h5")[2]


@pytest.mark.slow
def test_photographs_and_videos_are_identified_by_a_network_of_images(color, here, capsys):
    """Weights of another program, and files named `_color.png` without depth beside them."""
    gallery = ("--gallery", "color.h5", "--threshold", "0.01", "--json")
    faces = json.loads(call(capsys, "identify", "photos", *gallery)[1])["faces"]
    for face, name in zip(faces[::2], ("p0", "p1", "p2"), strict=True):
        own = {candidate["name"]: candidate["distance"] for candidate in face["candidates"]}
        assert own[name] == pytest.approx(0, abs=1e-5), "the photograph that was enrolled"
    faces = json.loads(call(capsys, "identify", "film.avi", *gallery)[1])["faces"]
    assert [(face["track"], face["input"]) for face in faces] == [(1, "film.avi#0"), (1, "film.avi#1")]
    code, _, err = call(capsys, "identify", "--camera", "97", *gallery)
    assert (code, err) == (2, "face3d: camera 97: gives no image: connect it, or give another --camera\n")


@pytest.mark.slow
def test_of_a_picture_of_several_people_the_main_face_is_compared_and_that_is_said(color, here, capsys):
    both = ("two.png", "photos/p0/0_color.png", "--model", "color.safetensors", "--threshold", "1")
    code, out, err = call(capsys, "compare", *both)
    assert (code, out[:16]) in ((0, "the same person:"), (0, "two people: dist"))
    assert err == "note: two.png: shows 1 more face; the main one alone is compared, identify looks at all\n"
    faces = json.loads(call(capsys, "identify", "two.png", "--gallery", "color.h5", "--threshold", "1", "--json")[1])
    assert len(faces["faces"]) == 2
