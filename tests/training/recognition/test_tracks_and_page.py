"""Tracks of faces through a video, and the page that shows them."""

import http.client
import json
import threading
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
import pytest
from PIL import Image

from face3d_data.errors import UserError
from face3d_data.inputs.video import is_video, video_frames
from face3d_training.recognition.faces import SeenFace
from face3d_training.recognition.gallery import EnrolledPerson, PeopleGallery
from face3d_training.recognition.page import RecognitionPage
from face3d_training.recognition.people import UNKNOWN, Recogniser, Threshold
from face3d_training.recognition.tracks import MOST_MISSED, FaceTracker

PEOPLE = {"anna": [1, 0, 0], "ben": [0, 1, 0]}


@pytest.fixture
def tracker():
    people = {name: EnrolledPerson(np.array([vector], np.float32), ("a",)) for name, vector in PEOPLE.items()}
    return FaceTracker(Recogniser(PeopleGallery("net", "d", "packaged", people), Threshold(0.8), None))


def face(x, vector, problem=None):
    box = np.array([x, 50, x + 100, 180], np.float32)
    vector = None if vector is None else np.array(vector, np.float32) / np.linalg.norm(vector)
    return SeenFace("video", "", 0, box, vector, problem)


def said(answers):
    return [(one.track, None if one.decision is None else one.decision.name) for one in answers]


def test_two_faces_that_cross_the_image_keep_their_names_whatever_their_order(tracker):
    for step in range(20):
        faces = [face(10 + 4 * step, [1, 0.1, 0.2]), face(400 - 4 * step, [0.1, 1, 0.2])]
        answers = tracker.step(faces if step % 2 else faces[::-1])
        assert sorted(said(answers), key=lambda pair: pair[1]) == [
            (tracker_number(answers, "anna"), "anna"),
            (tracker_number(answers, "ben"), "ben"),
        ]
    assert len(tracker.tracks) == 2


def tracker_number(answers, name):
    return next(one.track for one in answers if one.decision.name == name)


def test_one_bad_frame_does_not_change_a_name(tracker):
    for _ in range(5):
        tracker.step([face(10, [1, 0.1, 0])])
    assert said(tracker.step([face(12, [0.2, 1, 0.3])])) == [(1, "anna")], "the mean of all frames decides"
    assert said(tracker.step([face(12, None, ("too_few_points", ""))])) == [(1, None)], "the track goes on"
    assert said(tracker.step([face(12, [1, 0.1, 0])])) == [(1, "anna")]


def test_another_person_at_the_same_place_gets_their_own_name_in_time(tracker):
    for _ in range(3):
        tracker.step([face(10, [1, 0, 0])])
    names = [said(tracker.step([face(10, [0, 1, 0])]))[0][1] for _ in range(30)]
    assert names[-1] == "ben"
    assert names == sorted(names, key=["anna", UNKNOWN, "ben"].index), "it changes once, not to and fro"


def test_another_face_at_the_same_place_begins_a_new_track_with_its_second_frame(tracker):
    for _ in range(3):
        tracker.step([face(10, [1, 0, 0])])
    found = [said(tracker.step([face(10, vector)]))[0] for vector in ([0, 1, 0], [0.1, 1, 0], [0, 0, 1], [0, 0.1, 1])]
    assert found == [(1, "anna"), (2, "ben"), (2, "ben"), (3, UNKNOWN)]
    assert [track.frames for track in tracker.tracks] == [3, 2, 2], "the first odd frame counts to the track it began"
    assert said(tracker.step([face(10, [1, 0, 0])])) == [(1, "anna")], "who comes back is known again"


def test_a_face_that_changes_little_by_little_stays_on_its_track(tracker):
    """A head that turns: from frame to frame near, at last farther from the first frame than another person may be."""
    for angle in np.linspace(0, np.pi, 40):
        tracker.step([face(10, [np.cos(angle), 0, np.sin(angle)])])
    assert [track.number for track in tracker.tracks] == [1]


def test_a_cut_ends_all_tracks(tracker):
    tracker.step([face(10, [1, 0, 0])])
    tracker.cut()
    assert said(tracker.step([face(10, [1, 0, 0])])) == [(2, "anna")]
    assert [track.number for track in tracker.ended] == [1]


def test_a_face_that_is_away_for_long_begins_a_new_track(tracker):
    tracker.step([face(10, [1, 0, 0])])
    for _ in range(MOST_MISSED):
        tracker.step([])
    assert said(tracker.step([face(10, [1, 0, 0])])) == [(1, "anna")]
    for _ in range(MOST_MISSED + 1):
        tracker.step([])
    assert said(tracker.step([face(10, [1, 0, 0])])) == [(2, "anna")]
    assert [track.number for track in tracker.ended] == [1]


def test_a_face_far_from_the_last_one_is_another(tracker):
    tracker.step([face(10, [1, 0, 0])])
    assert said(tracker.step([face(300, [1, 0, 0])])) == [(2, "anna")]


@pytest.fixture
def page():
    page = RecognitionPage((64, 48), "a <note>")
    yield page
    page.close()


def read(address, **headers):
    with urlopen(Request(address, headers=headers), timeout=10) as answer:
        return answer.read().decode()


def test_the_page_shows_who_was_seen(page):
    assert page.address.startswith("http://127.0.0.1:")
    text = read(page.address)
    assert "a &lt;note&gt;" in text
    assert json.loads(read(page.address + "seen"))["people"] == []
    page.show(Image.new("RGB", (64, 48)), [("<b>anna", 0.25)])
    page.show(Image.new("RGB", (64, 48)), [("<b>anna", 0.5), (UNKNOWN, 1.0)])
    found = json.loads(read(page.address + "seen"))
    assert {one["name"]: (one["frames"], one["distance"]) for one in found["people"]} == {
        "<b>anna": (2, 0.5),
        UNKNOWN: (1, 1.0),
    }
    assert (found["frames"], found["over"]) == (2, False)
    assert "innerHTML" not in text, "names are put into the page as text alone"


def test_pictures_come_as_mjpeg_until_the_video_is_over(page):
    first, second = (Image.new("RGB", (64, 48), color) for color in ("red", "blue"))
    page.show(first, [])

    def go_on():
        page.show(second, [])
        page.end()

    timer = threading.Timer(0.3, go_on)
    timer.start()
    with urlopen(page.address + "stream", timeout=10) as answer:
        assert answer.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=frame"
        parts = answer.read().split(b"--frame\r\n")[1:]
    timer.join()
    assert len(parts) >= 1
    for part in parts:
        head, _, body = part.partition(b"\r\n\r\n")
        length = int(head.split(b"Content-Length: ")[1])
        assert body[:2] == b"\xff\xd8"
        assert body[length:] == b"\r\n"


def test_without_the_token_or_by_another_name_there_is_nothing(page):
    parts = urlsplit(page.address)
    for path in ("/", "/seen", "/wrong/", parts.path + "other", parts.path + "../etc/passwd"):
        with pytest.raises(HTTPError, match="404"):
            read(f"http://{parts.netloc}{path}")
    with pytest.raises(HTTPError, match="404"):
        read(page.address, Host="attacker.example")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request("POST", parts.path)
    assert connection.getresponse().status == 501


def test_a_port_that_is_in_use_is_one_line(page):
    with pytest.raises(UserError, match=r"--port \d+: cannot be used"):
        RecognitionPage((64, 48), port=urlsplit(page.address).port)


def test_a_video_is_read_frame_by_frame(tmp_path):
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for level in (40, 120, 200):
        writer.write(np.dstack([np.full((48, 64), value, np.uint8) for value in (level, 0, 0)]))
    writer.release()
    assert is_video(path)
    frames = list(video_frames(path))
    assert [one.path for one in frames] == [f"{path}#{i}" for i in range(3)]
    blue = [float(one.sample.arrays["color"][:, :, 2].mean()) for one in frames]
    assert blue == pytest.approx([40, 120, 200], abs=12), "RGB, not BGR"


def test_a_broken_video_is_one_line(tmp_path):
    (tmp_path / "v.mp4").write_bytes(b"no video at all")
    with pytest.raises(UserError, match=r"v\.mp4: is damaged, or of a format"):
        list(video_frames(tmp_path / "v.mp4"))
    with pytest.raises(UserError, match=r"w\.mp4: no such video"):
        list(video_frames(tmp_path / "w.mp4"))
