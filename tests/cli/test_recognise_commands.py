"""`enroll`, `identify`, `compare`, `calibrate`, as typed, with the packaged network."""

import csv
import json
import shutil
import signal
import subprocess
import sys
from urllib.request import urlopen

import h5py
import numpy as np
import pytest
from PIL import Image

from face3d_data.cli.main import _answer
from face3d_data.testing import write_tiny_npy
from face3d_training.recognition.gallery import read_gallery


def call(capsys, *arguments):
    capsys.readouterr()
    code = _answer([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def people(here):
    return sorted(path.name for path in (here / "all").iterdir() if path.is_dir())


@pytest.mark.slow
def test_people_are_recognised_and_a_stranger_is_not(here, tmp_path, capsys):
    first, second, stranger = people(here)
    code, out, err = call(capsys, "identify", "all", "--gallery", "people.h5", "--csv", tmp_path / "a.csv",
                          "--pictures", tmp_path / "pictures")  # fmt: skip
    assert (code, err) == (0, "")
    with open(tmp_path / "a.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    named = {row["input"].removeprefix("all/").removesuffix("_color.png"): row["name"] for row in rows}
    assert {name for path, name in named.items() if path.startswith(stranger)} == {"unknown"}
    assert named[f"{first}/capture_00"] == first
    assert named[f"{second}/capture_00"] == second
    assert "about 0.2% of strangers are taken for one of 2 people" in out
    assert "rendered, not real scans" in out
    pictures = sorted((tmp_path / "pictures").iterdir())
    assert len(pictures) == 6
    plain = np.asarray(Image.open(here / "all" / first / "capture_00_color.png"))
    drawn = np.asarray(Image.open(pictures[0]))
    assert drawn.shape == plain.shape
    assert 0 < (drawn != plain).any(axis=2).mean() < 0.2
    assert call(capsys, "identify", "all", "--gallery", "people.h5", "--csv", tmp_path / "a.csv")[0] == 2


@pytest.mark.slow
def test_json_has_every_candidate_and_nothing_else_is_printed(here, capsys):
    capture = f"all/{people(here)[0]}/capture_00_color.png"
    code, out, err = call(capsys, "identify", capture, "--gallery", "people.h5", "--json", "--fmr", "1e-2")
    assert (code, err) == (0, "")
    (face,) = json.loads(out)["faces"]
    assert face["candidates"][0]["name"] == face["name"] == people(here)[0]
    assert len(face["candidates"]) == 2
    assert face["candidates"][0]["probability"] > 0.9 > face["candidates"][1]["probability"]
    assert len(face["box_px"]) == 4


@pytest.mark.slow
def test_two_names_of_one_person_are_noted(here, tmp_path, capsys):
    first = people(here)[0]
    gallery = shutil.copy(here / "people.h5", tmp_path / "g.h5")
    code, _, err = call(capsys, "enroll", f"all/{first}", "--name", "Eve", "--into", gallery)
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith(f"note: Eve looks like {first} (distance 0.")
    assert err.endswith("up to 0.710): one person under two names? --remove Eve takes one away\n")


@pytest.mark.slow
def test_two_captures_are_compared(here, capsys):
    first, second, _ = people(here)
    one, other = (f"all/{first}/capture_0{i}_depth.png" for i in (0, 1))
    code, out, _ = call(capsys, "compare", one, one, "--json")
    assert (code, json.loads(out)["distance"], json.loads(out)["same"]) == (0, 0.0, True)
    code, out, _ = call(capsys, "compare", one, f"all/{second}/capture_00_color.png")
    assert code == 0
    assert out.startswith("two people: distance ")
    assert call(capsys, "compare", one, other, "--threshold", "2")[1].startswith("the same person: distance ")
    code, _, err = call(capsys, "compare", f"all/{first}", one)
    assert (code, err.count("\n")) == (2, 1)
    assert "holds 2 captures: give one" in err


@pytest.mark.slow
def test_people_are_added_replaced_and_removed(here, tmp_path, capsys):
    first, second, stranger = people(here)
    gallery = tmp_path / "g.h5"
    shutil.copy(here / "people.h5", gallery)
    code, out, _ = call(capsys, "enroll", "all", "--into", gallery)
    assert (code, out.splitlines()[-1]) == (0, f"gallery {gallery}: 3 people")
    assert f"{stranger}: 2 captures" in out
    sizes = captures_of(gallery)
    assert sizes == {first: 3, second: 3, stranger: 2}
    assert call(capsys, "enroll", "all", "--into", gallery)[0] == 0
    assert captures_of(gallery) == sizes, "the same files are the same captures"
    assert call(capsys, "enroll", f"all/{first}", "--name", first, "--replace", "--into", gallery)[0] == 0
    assert captures_of(gallery) == {**sizes, first: 2}
    assert call(capsys, "enroll", "--remove", second, "--into", gallery)[0] == 0
    assert captures_of(gallery) == {first: 2, stranger: 2}
    code, _, err = call(capsys, "enroll", "--remove", second, "--into", gallery)
    assert (code, err.count("\n")) == (2, 1)
    assert f"nobody of that name is in {gallery}" in err


def captures_of(gallery):
    return {name: len(person.captures) for name, person in read_gallery(gallery).people.items()}


@pytest.mark.slow
def test_a_dataset_is_enrolled_as_its_captures_are(here, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("RGBD_ROOT", str(here / "all"))
    assert call(capsys, "run", "recognise", "-w", tmp_path / "work")[0] == 0
    dataset = tmp_path / "work" / "datasets" / "recognise"
    assert call(capsys, "enroll", dataset, "--into", tmp_path / "d.h5")[0] == 0
    assert call(capsys, "enroll", "all", "--into", tmp_path / "c.h5")[0] == 0
    by_dataset, by_files = ({name: person.mean for name, person in read_gallery(tmp_path / file).people.items()}
                            for file in ("d.h5", "c.h5"))  # fmt: skip
    assert len(by_dataset) == len(by_files) == 3
    for name, mean in by_files.items():
        (other,) = (vector for person, vector in by_dataset.items() if person.endswith(name))
        assert np.linalg.norm(other - mean) < 0.2, "one has found the landmarks, the other was given them"
    for more, message in (
        (("--name", "x"), "names its people itself"),
        (("--where", "mask == 'x'"), "no row of split"),
    ):
        code, _, err = call(capsys, "enroll", dataset, "--into", tmp_path / "e.h5", *more)
        assert (code, err.count("\n")) == (2, 1)
        assert message in err
    assert call(capsys, "enroll", "all", "--split", "test", "--into", tmp_path / "e.h5")[0] == 2


@pytest.mark.slow
def test_what_cannot_be_used_is_said_and_the_rest_is_enrolled(here, tmp_path, capsys):
    first, second, _ = people(here)
    shutil.copytree(here / "known", tmp_path / "known")
    depth = tmp_path / "known" / first / "capture_00_depth.png"
    Image.fromarray(np.zeros((240, 320), np.uint16)).save(depth)
    code, out, err = call(capsys, "enroll", tmp_path / "known", "--into", tmp_path / "g.h5")
    assert code == 0
    assert f"{first}: 0 captures, 1 left out: NOT enrolled" in out
    assert f"left out: {depth.parent / 'capture_00_color.png'}: no_depth_at_landmark" in err
    assert captures_of(tmp_path / "g.h5") == {second: 1}
    code, out, err = call(capsys, "enroll", tmp_path / "known" / first, "--name", "x", "--into", tmp_path / "none.h5")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no face of 1 capture can be used" in err
    assert not (tmp_path / "none.h5").exists()
    code, out, err = call(capsys, "identify", tmp_path / "known" / first, "--gallery", "people.h5")
    assert code == 2
    assert "no answer: no_depth_at_landmark" in out


def heed_ctrl_c():
    """Let a new process be interrupted, also where tests run in the background, whose children ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_a_page_is_served_until_ctrl_c_and_then_the_csv_is_written(here, tmp_path):
    first = people(here)[0]
    command = [sys.executable, "-m", "face3d_data", "identify", f"all/{first}", "--gallery", "people.h5", "--track"]
    with subprocess.Popen([*command, "--page", "--csv", str(tmp_path / "a.csv")], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, preexec_fn=heed_ctrl_c) as process:  # fmt: skip
        lines = [process.stdout.readline()]
        while lines[-1] and not lines[-1].startswith("track 1: "):
            lines.append(process.stdout.readline())
        address = next(line for line in lines if line.startswith("page ")).split()[1]
        with urlopen(address + "seen", timeout=10) as answer:
            assert [one["name"] for one in json.load(answer)["people"]] == [first]
        assert "Ctrl-C ends the page" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "2 faces: 2 of the gallery" in out
    with open(tmp_path / "a.csv", newline="") as file:
        assert [(row["track"], row["name"]) for row in csv.DictReader(file)] == [("1", first)] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("identify", "--gallery", "people.h5"), "give INPUTs, or --camera N or realsense"),
        (("identify", "all", "--camera", "0", "--gallery", "people.h5"), "give INPUTs, or --camera N or realsense"),
        (("identify", "--camera", "97", "--gallery", "people.h5"), "camera 97: it has color alone, and the network's"),
        (("identify", "none.mp4", "--gallery", "people.h5"), "none.mp4: no such file or folder"),
        (("identify", "all", "--gallery", "none.h5"), "no such gallery: make one with face3d enroll"),
        (("identify", "nothing", "--gallery", "people.h5"), "nothing: no such file or folder"),
        (("identify", "all", "--gallery", "people.h5", "--model", "mapz"), "--model mapz: no such file"),
        (("identify", "all", "--gallery", "people.h5", "--fmr", "1e-6"), "cannot be shown by"),
        (("identify", "all", "--gallery", "people.h5", "--fmr", "2"), "--fmr"),
        (("identify", "all", "--gallery", "people.h5", "--fmr", "0.1", "--threshold", "1"), "give one of them"),
        (("identify", "all", "--gallery", "people.h5", "--threshold", "nan"), "is no distance"),
        (("identify", "all", "--gallery", "people.h5", "--device", "tpu"), "is not a device"),
        (("identify", "all", "--gallery", "people.h5", "--set", "units"), "write KEY=VALUE"),
        (("identify", "all", "--gallery", "people.h5", "--reader", "rgbd"), "there is no reader 'rgbd'"),
        (
            ("identify", "all", "--gallery", "people.h5", "--calibration", "people.h5"),
            "cannot be read as a calibration",
        ),
        (("enroll", "--into", "new.h5"), "give a folder of PEOPLE, or --remove NAME"),
        (("enroll", "all", "--into", "new.txt"), "is written as HDF5: give it the ending .h5 or .hdf5"),
        (("identify", "all", "nothing", "--gallery", "people.h5"), "nothing: no such file or folder"),
        (("enroll", "nothing", "--into", "new.h5"), "nothing: is no folder of people"),
        (("calibrate", "all", "--out", "c.json"), "all: is no evaluation"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(here, capsys, arguments, message):
    before = sorted(here.iterdir())
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert sorted(here.iterdir()) == before


@pytest.mark.slow
def test_each_side_of_a_comparison_has_options_of_its_own(here, tmp_path, capsys):
    first = people(here)[0]
    shutil.copytree(here / "all" / first, tmp_path / "metres" / first)
    shutil.copy(here / "all" / "intrinsics.json", tmp_path / "metres")
    about = json.loads((tmp_path / "metres" / "intrinsics.json").read_text())
    (tmp_path / "metres" / "intrinsics.json").write_text(json.dumps({**about, "depth_scale": 0.0001}))
    one, other = here / "all" / first / "capture_00_color.png", tmp_path / "metres" / first / "capture_00_color.png"
    assert call(capsys, "compare", one, other)[0] == 2, "a face of 60 mm is none"
    code, out, _ = call(capsys, "compare", one, other, "--set-second", "depth_scale=0.001", "--json")
    assert (code, json.loads(out)["distance"]) == (0, pytest.approx(0, abs=1e-3))
    assert call(capsys, "compare", one, other, "--set-first", "depth_scale=0.001")[0] == 2
    code, out, err = call(capsys, "compare", one, one, "--set-second", "nothing=1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "nothing" in err


@pytest.mark.slow
def test_depth_without_a_unit_is_no_answer_that_names_the_option(here, tmp_path, capsys):
    write_tiny_npy(tmp_path / "npy", 1, 1)
    code, out, _ = call(capsys, "identify", tmp_path / "npy", "--gallery", "people.h5", "--reader", "rgbd_npy")
    assert code == 2
    assert "begins with depth" in out
    assert "no file gives its unit: --set depth_scale=0.001 where values are mm" in out


@pytest.mark.slow
def test_captures_in_a_folder_are_embedded_as_they_are_enrolled(here, tmp_path, capsys):
    first, second, stranger = people(here)
    code, out, err = call(capsys, "embed", "all", "--model", "packaged", "--out", tmp_path / "e.h5")
    assert (code, err) == (0, "")
    assert out == f"embeddings of 3 people, means over 6 captures, in {tmp_path / 'e.h5'}\n"
    assert call(capsys, "enroll", "all", "--into", tmp_path / "g.h5")[0] == 0
    enrolled = read_gallery(tmp_path / "g.h5").people
    with h5py.File(tmp_path / "e.h5") as file:
        for name in (first, second, stranger):
            assert file[name]["embedding"][:] == pytest.approx(enrolled[name].mean, abs=1e-6)
    images = ("embed", "all", "--model", "packaged", "--layout", "images", "--out", tmp_path / "i.h5")
    assert call(capsys, *images)[0] == 0
    with h5py.File(tmp_path / "i.h5") as file:
        one = file[first]["capture_01_color.png"]
        assert one.attrs["file_path"] == f"{first}/capture_01_color.png".encode()
        assert one["embedding"][:] == pytest.approx(enrolled[first].captures[1], abs=1e-6)
    assert call(capsys, *images)[0] == 2, "nothing is replaced"
    for more in (("--split", "test"), ("--data.views", "2"), ("--flip",)):
        code, _, err = call(capsys, "embed", "all", "--model", "packaged", "--out", tmp_path / "n.h5", *more)
        assert (code, err) == (2, f"face3d: embed: {more[0]} belongs to datasets, not to raw captures: leave it out\n")


@pytest.mark.slow
def test_an_exported_network_answers_alike_without_torch(here, tmp_path, capsys):
    """Captures with their landmarks need no detector, and an .onnx file no torch."""
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    network = tmp_path / "net.onnx"
    assert call(capsys, "export-model", "--model", "packaged", "--format", "onnx", "--out", network)[0] == 0
    code = "import sys; from face3d_data.cli.main import _answer\n"
    code += "sys.exit(_answer(sys.argv[1:]) or 'torch' in sys.modules)"
    arguments = ["identify", f"all/{people(here)[0]}", "--gallery", "people.h5", "--json"]
    done = subprocess.run([sys.executable, "-c", code, *arguments, "--model", str(network)], capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    expected = json.loads(call(capsys, *arguments)[1])
    for one, other in zip(json.loads(done.stdout)["faces"], expected["faces"], strict=True):
        for candidate, same in zip(one["candidates"], other["candidates"], strict=True):
            assert candidate["name"] == same["name"]
            assert candidate["distance"] == pytest.approx(same["distance"], abs=1e-4)


@pytest.mark.slow
def test_an_exported_network_has_the_calibration_of_the_one_it_was_exported_from(here, tmp_path, capsys):
    same, other, again = (tmp_path / f"{name}.safetensors" for name in ("same", "other", "again"))
    assert call(capsys, "export-model", "packaged", "--out", same)[0] == 0
    assert call(capsys, "export-model", same, "--out", again)[0] == 0
    assert call(capsys, "export-model", "packaged", "--out", other, "--data.map-scale", "7")[0] == 0
    arguments = ["identify", f"all/{people(here)[0]}", "--gallery", "people.h5", "--json"]
    expected = json.loads(call(capsys, *arguments)[1])
    for network in (same, again):
        found = json.loads(call(capsys, *arguments, "--model", network)[1])
        assert (found["threshold"], found["fmr"]) == (expected["threshold"], 0.001)
    code, out, err = call(capsys, *arguments, "--model", other)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"{other}: has no calibration" in err
