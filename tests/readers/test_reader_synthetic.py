import json
import subprocess
import sys

import numpy as np
import pytest

from face3d_data.errors import UserError
from face3d_data.readers.rgbd_folder import RgbdFolder
from face3d_data.readers.synthetic import Synthetic
from face3d_data.registry import find
from face3d_data.sample import check_array
from face3d_data.synthetic.write import write_people

SIZE = {"width": 160, "height": 120}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("people") / "out"
    assert list(write_people(out, 2, 2, 5, **SIZE)) == ["person_000", "person_001"]
    return out


def test_it_is_registered():
    assert find("reader", "synthetic") is Synthetic


@pytest.mark.slow
def test_scan_lists_people_and_captures_without_rendering():
    code = (
        "import sys\nfrom face3d_data.readers.synthetic import Synthetic\n"
        "found = [(s.person, s.capture) for s in Synthetic(people=2, captures=2).scan()]\n"
        "assert found == [(f'person_00{p}', f'capture_0{c}') for p in (0, 1) for c in (0, 1)]\n"
        "assert not {'open3d', 'torch', 'cv2'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_what_changes_the_pixels_enters_the_fingerprint():
    one = Synthetic(people=2)
    assert one.fingerprint() == Synthetic(people=9, captures=7, first_person=3).fingerprint()
    assert one.fingerprint() != Synthetic(people=2, seed=1).fingerprint()
    assert one.fingerprint() != Synthetic(people=2, width=320).fingerprint()


def test_a_source_is_told_by_its_record_and_not_by_its_place():
    later = list(Synthetic(people=1, captures=1, first_person=4).scan())
    assert later[0] == list(Synthetic(people=5, captures=1).scan())[4]


def test_arrays_are_declared_read_only_and_rendered_once(monkeypatch):
    from face3d_data.readers import synthetic
    from face3d_data.synthetic import capture

    synthetic._made.cache_clear()
    calls = []
    render = capture.render_capture
    monkeypatch.setattr(capture, "render_capture", lambda *a, **k: calls.append(a) or render(*a, **k))
    reader = Synthetic(people=1, captures=1, **SIZE)
    sample = reader.sample(next(iter(reader.scan())))
    for name in reader.outputs:
        check_array(name, sample.arrays[name])
        assert not sample.arrays[name].flags.writeable
    assert len(calls) == 1
    assert sample.tags["mask"] == "none"
    assert set(reader.declared_tags()) <= set(sample.tags)


@pytest.mark.slow
def test_what_synth_writes_reads_back_as_the_reader_gives_it(folder):
    reader, files = Synthetic(people=2, captures=2, seed=5, **SIZE), RgbdFolder(root=folder)
    made, read = list(reader.scan()), list(files.scan())
    assert [(s.person, s.capture, s.problem) for s in read] == [(s.person, s.capture, None) for s in made]
    for source, file_source in zip(made, read, strict=True):
        assert dict(file_source.tags) == dict(source.tags)
        for name in ("color", "depth", "intrinsics", "landmarks"):
            assert np.array_equal(files.load(file_source, name), reader.load(source, name)), name


def test_landmarks_json_holds_the_truth(folder):
    entry = json.loads((folder / "person_001" / "landmarks.json").read_text())["capture_01"]
    assert set(entry["landmarks_3d_mm"]) == {"left_eye", "right_eye", "nose", "mouth_left", "mouth_right"}
    assert len(entry["face_box_xyxy"]) == 4
    assert entry["masked"] is False


def test_writing_again_keeps_what_is_complete_and_adds_people(folder):
    before = (folder / "person_000" / "landmarks.json").stat().st_mtime_ns
    (folder / "person_001" / "landmarks.json").unlink()
    assert sorted(write_people(folder, 2, 2, 5, **SIZE)) == ["person_000", "person_001"]
    assert (folder / "person_000" / "landmarks.json").stat().st_mtime_ns == before
    assert (folder / "person_001" / "landmarks.json").exists()


@pytest.mark.parametrize(
    ("options", "said"), [((2, 2, 6), "another seed"), ((2, 3, 5), "another captures")], ids=["seed", "captures"]
)
def test_a_folder_of_other_people_is_refused(folder, options, said):
    with pytest.raises(UserError, match=said):
        list(write_people(folder, *options, **SIZE))


def test_a_folder_that_synth_did_not_write_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(UserError, match="not empty and was not written by"):
        list(write_people(tmp_path, 1, 1, 0, **SIZE))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(UserError, match="is a file"):
        list(write_people(tmp_path / "mine.txt", 1, 1, 0, **SIZE))


SMALL_ICT = {"people": 2, "captures": 2, "model": "ict", "images": False, "width": 320, "height": 240}


@pytest.mark.parametrize("name", ["anny", "ict"])
def test_people_of_a_packaged_population_differ_from_each_other_and_from_our_own(name):
    reader = Synthetic(**SMALL_ICT | {"model": name})
    captures = [reader.sample(source) for source in reader.scan()]
    eyes = [float(np.linalg.norm(c.arrays["landmarks"][1] - c.arrays["landmarks"][0])) for c in captures]
    assert len({round(value, 3) for value in eyes}) == 4
    assert reader.fingerprint() != Synthetic(**SMALL_ICT | {"model": "own"}).fingerprint()


def test_the_content_of_a_packaged_population_is_in_the_fingerprint(monkeypatch, tmp_path):
    from face3d_data.readers import synthetic
    from face3d_data.resources import Asset

    before = Synthetic(**SMALL_ICT).fingerprint()
    other = tmp_path / "ict_face.npz"
    other.write_bytes(synthetic.POPULATIONS["ict"].file.read_bytes() + b"more")

    class Moved(Asset):
        file = other

    monkeypatch.setitem(synthetic.POPULATIONS, "ict", Moved("synthetic/ict_face.npz", "synthetic/ict_face.npz"))
    assert Synthetic(**SMALL_ICT).fingerprint() != before


def test_a_model_by_name_is_no_file_and_a_file_is_no_name(tmp_path):
    from face3d_data.pipeline.paths import with_paths

    assert with_paths(Synthetic, {"model": "ict"}, (tmp_path,)) == {"model": "ict"}
    assert with_paths(Synthetic, {"model": "mine.npz"}, (tmp_path,)) == {"model": tmp_path / "mine.npz"}
    with pytest.raises(ValueError, match="is neither a file nor one of own, anny, ict"):
        Synthetic(people=1, model=tmp_path / "icd")


def test_the_packaged_population_is_closed_but_for_its_edge():
    from face3d_data.formats.face_model import read_face_model
    from face3d_data.synthetic.populations import POPULATIONS

    model = read_face_model(POPULATIONS["ict"].file)
    edges = np.sort(model.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    open_edges = [edge for edge, n in zip(*np.unique(edges, axis=0, return_counts=True), strict=True) if n == 1]
    at_rim = {int(vertex) for edge in open_edges for vertex in edge}
    assert model.landmarks is not None
    assert model.mean[sorted(at_rim), 2].max() < model.mean[model.landmarks[30], 2] - 50  # no hole in the face
    assert len(model.identity) == 25
