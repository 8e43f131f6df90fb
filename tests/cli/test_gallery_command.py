"""`face3d gallery`, as typed."""

import json

import numpy as np
import pytest

from face3d_data.cli.main import _answer
from face3d_training.recognition.gallery import EnrolledPerson, PeopleGallery, write_gallery


@pytest.fixture
def gallery(tmp_path):
    people = {
        name: EnrolledPerson(np.eye(4, dtype=np.float32)[: len(files)], files)
        for name, files in {"Jörg": ("a.png", "b.png"), "Ada": ("c.png",)}.items()
    }
    write_gallery(tmp_path / "g.h5", PeopleGallery("my net", "0123456789abcdef", "/runs/net.pt", people))
    return tmp_path / "g.h5"


def call(capsys, *arguments):
    code = _answer(["gallery", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def test_people_captures_and_the_network_are_listed(gallery, capsys):
    head = [
        f"{gallery}: 2 people, 3 captures",
        "network my net (/runs/net.pt), digest 0123456789ab, embeddings of 4 numbers",
    ]
    assert call(capsys, gallery) == (0, [*head, "  Ada   1 capture", "  Jörg  2 captures"], "")
    _, out, _ = call(capsys, gallery, "--files")
    assert out == [*head, "  Ada   1 capture", "    c.png", "  Jörg  2 captures", "    a.png", "    b.png"]


def test_json_has_the_whole_digest(gallery, capsys):
    code, out, err = call(capsys, gallery, "--files", "--json")
    assert (code, err) == (0, "")
    assert json.loads("\n".join(out)) == {
        "gallery": str(gallery),
        "network": {"name": "my net", "file": "/runs/net.pt", "digest": "0123456789abcdef"},
        "embedding_length": 4,
        "people": [
            {"name": "Ada", "captures": 1, "files": ["c.png"]},
            {"name": "Jörg", "captures": 2, "files": ["a.png", "b.png"]},
        ],
    }


def test_an_empty_gallery_and_what_is_none(tmp_path, capsys):
    write_gallery(tmp_path / "e.h5", PeopleGallery("net", "d" * 64, "packaged", {}))
    assert call(capsys, tmp_path / "e.h5")[1][0] == f"{tmp_path / 'e.h5'}: 0 people, 0 captures"
    code, out, err = call(capsys, tmp_path / "none.h5")
    assert (code, out, err.count("\n")) == (2, [], 1)
    assert "no such gallery: make one with face3d enroll" in err
    (tmp_path / "text.h5").write_text("text")
    code, out, err = call(capsys, tmp_path / "text.h5")
    assert (code, out, err.count("\n")) == (2, [], 1)
    assert "cannot be read as a gallery" in err
