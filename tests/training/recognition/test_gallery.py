"""Gallery of enrolled people, search in it, and decisions."""

import h5py
import numpy as np
import pytest

from face3d_data.errors import MissingDependency, UserError
from face3d_training.recognition import search
from face3d_training.recognition.calibration import Calibration, OperatingPoint
from face3d_training.recognition.enrolment import Enrolment, people_in
from face3d_training.recognition.faces import SeenFace
from face3d_training.recognition.gallery import (
    UNKNOWN,
    EnrolledPerson,
    PeopleGallery,
    check_person_name,
    read_gallery,
    write_gallery,
)
from face3d_training.recognition.people import Recogniser, Threshold, choose_threshold
from face3d_training.recognition.search import nearest
from face3d_training.recognition.similar_people import similar_people


def unit(rng, *shape):
    vectors = rng.normal(size=shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def gallery_of(people, rng=None, **keys):
    rng = rng or np.random.default_rng(0)
    made = {name: EnrolledPerson(unit(rng, count, 8), tuple(f"{name}/{i}" for i in range(count)))
            for name, count in people.items()}  # fmt: skip
    return PeopleGallery(**{"network": "net", "digest": "d1", "file": "packaged", **keys}, people=made)


def test_a_gallery_is_read_back_and_its_means_are_of_unit_length(tmp_path):
    gallery = gallery_of({"anna": 3, "Jörg": 1})
    write_gallery(tmp_path / "g.h5", gallery)
    again = read_gallery(tmp_path / "g.h5")
    assert (again.network, again.digest, again.file) == ("net", "d1", "packaged")
    assert again.people.keys() == gallery.people.keys()
    with h5py.File(tmp_path / "g.h5") as file:
        for name, person in gallery.people.items():
            assert np.array_equal(again.people[name].captures, person.captures)
            assert again.people[name].files == person.files
            mean = person.captures.sum(axis=0)
            assert file[name]["embedding"][:] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)


def test_captures_that_cancel_each_other_out_have_no_direction():
    captures = np.array([[1, 0], [-1, 0]], np.float32)
    assert EnrolledPerson(captures, ("a", "b")).mean.tolist() == [0, 0]


def test_another_network_s_embeddings_are_refused(tmp_path):
    gallery = gallery_of({"anna": 1})
    gallery.check_network("d1", "net", "g.h5")
    with pytest.raises(UserError, match=r"g.h5: holds embeddings of net, and these are of other: use that network"):
        gallery.check_network("d2", "other", "g.h5")


def test_what_is_no_gallery_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no such gallery: make one with face3d enroll"):
        read_gallery(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(UserError, match="cannot be read as a gallery"):
        read_gallery(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="is no gallery of face3d enroll"):
        read_gallery(tmp_path / "other.h5")
    write_gallery(tmp_path / "g.h5", gallery_of({"anna": 2}))
    with h5py.File(tmp_path / "g.h5", "a") as file:
        del file["anna"]["files"]
    with pytest.raises(UserError, match="cannot be read as a gallery"):
        read_gallery(tmp_path / "g.h5")


def test_the_nearest_people_are_those_of_a_plain_search():
    rng = np.random.default_rng(1)
    people, probes = unit(rng, 300, 16), unit(rng, 20, 16)
    people[17] = people[5]  # equals: the first one comes first
    rows, distances = nearest(people, np.concatenate([probes, people[17:18]]), 4)
    for probe, own, far in zip([*probes, people[17]], rows, distances, strict=True):
        plain = sorted((float(np.sqrt(((one.astype(float) - probe) ** 2).sum())), i) for i, one in enumerate(people))
        assert own.tolist() == [i for _, i in plain[:4]] or far == pytest.approx([d for d, _ in plain[:4]], abs=1e-7)
        assert far == pytest.approx([d for d, _ in plain[:4]], abs=1e-7)
    assert rows[-1][:2].tolist() == [5, 17]
    assert nearest(people[:2], probes, 4)[0].shape == (20, 2)


def test_a_large_gallery_gets_the_same_answers_by_faiss(monkeypatch):
    rng = np.random.default_rng(2)
    people, probes = unit(rng, 500, 16), unit(rng, 30, 16)
    exact = nearest(people, probes, 3)
    monkeypatch.setattr(search, "LARGEST_EXACT", 400)
    pytest.importorskip("faiss", reason="the extra faiss is not installed")
    rows, distances = nearest(people, probes, 3)
    assert np.array_equal(rows, exact[0])
    assert distances == pytest.approx(exact[1], abs=1e-12)


def test_without_faiss_a_large_gallery_is_one_line(monkeypatch):
    monkeypatch.setattr(search, "LARGEST_EXACT", 1)
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(MissingDependency, match=r"more than 1 person is searched by Faiss: pip install"):
        nearest(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), 1)


CALIBRATION = Calibration(
    "x",
    -10.0,
    8.0,
    (OperatingPoint(0.1, 0.9, 0, 1, 0, 0, 1), OperatingPoint(0.01, 0.7, 0, 1, 0, 0, 1)),
    9,
    9,
    9,
    "",
    "",
)


def test_a_face_is_a_person_s_up_to_the_threshold():
    gallery = gallery_of({"anna": 1, "ben": 1})
    matrix = gallery.matrix()[1]
    probes = np.stack([matrix[1], -matrix[0]])
    for limit, said in ((0.0, ["ben", UNKNOWN]), (2.0, ["ben", None])):
        decided = Recogniser(gallery, Threshold(limit), CALIBRATION).decide(probes)
        for decision, name in zip(decided, said, strict=True):
            assert decision.name == (name or decision.best.name)
            assert [one.distance for one in decision.candidates] == sorted(one.distance for one in decision.candidates)
            assert {one.name for one in decision.candidates} == {"anna", "ben"}
    near, far = decided[0].candidates
    assert near.probability == pytest.approx(1 / (1 + np.exp(-8)), rel=1e-4)
    assert near.probability > far.probability
    assert Recogniser(gallery, Threshold(1), None).decide(probes)[0].best.probability is None
    assert Recogniser(gallery, Threshold(1), None).decide(np.zeros((0, 8), np.float32)) == []


def test_a_gallery_of_one_and_an_empty_one():
    decided = Recogniser(gallery_of({"anna": 1}), Threshold(0.5), None).decide(gallery_of({"anna": 1}).matrix()[1])
    assert decided[0].name == "anna"
    with pytest.raises(UserError, match="the gallery is empty"):
        Recogniser(gallery_of({}), Threshold(0.5), None)


def test_the_threshold_is_the_one_asked_for():
    assert choose_threshold(CALIBRATION, 0.01, None, "net").distance == 0.7
    assert choose_threshold(CALIBRATION, 0.01, 1.2, "net") == Threshold(1.2)
    assert choose_threshold(None, 0.01, 1.2, "net") == Threshold(1.2)
    with pytest.raises(UserError, match=r"net: has no calibration.*--threshold DISTANCE, or --calibration"):
        choose_threshold(None, 0.01, None, "net")


def test_people_come_from_folders_a_list_or_a_name(tmp_path):
    from face3d_data.inputs.captures import ReaderChoice

    for name in ("anna/a.jpg", "anna/b.jpg", "ben/c.jpg"):
        (tmp_path / "people" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "people" / name).write_bytes(b"")
    any_reader = ReaderChoice()
    assert [one.person for one in people_in(tmp_path / "people", None, any_reader)] == ["anna", "anna", "ben"]
    assert {one.person for one in people_in(tmp_path / "people", "zoe", any_reader)} == {"zoe"}
    listed = tmp_path / "people.csv"
    listed.write_text("file,name\npeople/anna/a.jpg,Anna A.\npeople/ben,Ben\n")
    assert [one.person for one in people_in(listed, None, any_reader)] == ["Anna A.", "Ben"]
    for path, name, message in (
        (tmp_path / "people" / "anna", None, "a.jpg lies in no person's folder"),
        (tmp_path / "people" / "anna" / "a.jpg", None, "is no folder of people: give --name"),
        (listed, "zoe", "names the people itself"),
        (tmp_path / "people", "a/b", "cannot be a name in a gallery"),
    ):
        with pytest.raises(UserError, match=message):
            people_in(path, name, any_reader)
    for text, message in (
        ("person,path\n", "needs the columns name and file"),
        ("name;file\nAnna;people/anna\n", r"with a comma between, in line 1 \(name;file\)"),
        ("name,file\nAnna,\n", "line 2: has no file"),
        ("name,file\nAnna\n", "line 2: has no file"),
        ("name,file\n,people/anna\n", "line 2: has no name"),
        ("name,file\nAnna,people/anna\nBen,nobody\n", "line 3: .*nobody: no such file or folder"),
    ):
        listed.write_text(text)
        with pytest.raises(UserError, match=message):
            people_in(listed, None, any_reader)


@pytest.mark.parametrize("name", ["unknown", " Unknown", "", "  ", ".", "..", "a/b", "a\0b"])
def test_a_name_that_means_nobody_or_cannot_be_kept_is_refused(name):
    with pytest.raises(UserError):
        check_person_name(name)


def test_a_name_is_one_however_its_accents_and_blanks_are_written():
    assert check_person_name(" Zoe\u0308 ") == check_person_name("Zo\u00eb")


def test_a_gallery_that_another_command_changed_is_not_overwritten(tmp_path):
    path = tmp_path / "g.h5"
    write_gallery(path, gallery_of({"anna": 1}))
    one, other = Enrolment.open(path), Enrolment.open(path)
    one.people["ben"] = EnrolledPerson(np.eye(8, dtype=np.float32)[:1], ("b",))
    one.save()
    other.people["carl"] = EnrolledPerson(np.eye(8, dtype=np.float32)[:1], ("c",))
    with pytest.raises(UserError, match="was changed meanwhile by another command: nothing is written"):
        other.save()
    assert read_gallery(path).people.keys() == {"anna", "ben"}


def test_a_gallery_behind_a_link_is_written_there(tmp_path):
    write_gallery(tmp_path / "g.h5", gallery_of({"anna": 1, "ben": 1}))
    (tmp_path / "link.h5").symlink_to("g.h5")
    work = Enrolment.open(tmp_path / "link.h5")
    work.remove("ben")
    work.save()
    assert (tmp_path / "link.h5").is_symlink()
    assert read_gallery(tmp_path / "g.h5").people.keys() == {"anna"}


def test_a_capture_is_known_again_by_its_file_however_it_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "v.bag").write_bytes(b"")
    vector = np.eye(8, dtype=np.float32)[0]
    work = Enrolment(tmp_path / "g.h5", None)
    names = ("a/v.bag", "a/v.bag#1", "a/../a/v.bag#1", str(tmp_path / "a" / "v.bag"), "d/anna/1#2")
    work.take([SeenFace(name, "anna", 0, None, vector, None) for name in names])
    at = str(tmp_path / "a" / "v.bag")
    assert work.people["anna"].files == (at, f"{at}#1", "d/anna/1#2")


def test_names_that_differ_only_in_their_accents_are_one_person(tmp_path):
    work = Enrolment(tmp_path / "g.h5", None)
    vectors = np.eye(8, dtype=np.float32)
    work.take(
        [SeenFace("1", "Zoe\u0308", 0, None, vectors[0], None), SeenFace("2", "Zo\u00eb", 0, None, vectors[1], None)]
    )
    assert {name: len(person.files) for name, person in work.people.items()} == {"Zo\u00eb": 2}


def test_people_who_are_as_near_as_one_person_are_found_once():
    gallery = gallery_of({"anna": 2, "ben": 1, "carl": 3, "dora": 1})
    people = dict(gallery.people)
    people["eve"] = EnrolledPerson(people["anna"].captures, ("again/0", "again/1"))
    near = people["ben"].mean + np.float32([0.1, *[0] * 7])
    people["ben 2"] = EnrolledPerson((near / np.linalg.norm(near))[None], ("x",))
    gallery = PeopleGallery("net", "d1", "packaged", people)
    names, means = gallery.matrix()
    everything = [
        ((one, other), float(np.linalg.norm(means[i] - means[j])))
        for i, one in enumerate(names)
        for j, other in enumerate(names)
        if i < j
    ]
    expected = sorted(((pair, far) for pair, far in everything if far <= 0.5), key=lambda found: found[1])
    found = similar_people(gallery, names, 0.5)
    assert [one.names for one in found] == [pair for pair, _ in expected] == [("anna", "eve"), ("ben", "ben 2")]
    assert [one.distance for one in found] == pytest.approx([far for _, far in expected], abs=1e-7)
    assert [one.names for one in similar_people(gallery, {"eve"}, 0.5)] == [("eve", "anna")]
    assert similar_people(gallery, {"carl"}, 0.5) == []
    assert similar_people(gallery_of({"anna": 1}), {"anna"}, 2.0) == []
    assert (gallery.length, gallery_of({}).length) == (8, 0)
