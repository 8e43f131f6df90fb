"""`face3d domains`: what is counted over all rows, what is measured on some captures, and the picture."""

import json
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from face3d_data.cli.main import face3d
from face3d_data.domains.domain import chosen, domains, spread
from face3d_data.domains.measure import FACE_DEPTH_MM, measure_face
from face3d_data.domains.picture import draw_domains
from face3d_data.domains.table import domain_notes, domain_table
from face3d_data.errors import Unreadable, UserError
from face3d_data.store.manifest import Entry
from face3d_data.testing import write_tiny_rgbd


@dataclass
class MadePlace:
    """Arrays of one step, and behind it the step before; an array may be an error."""

    arrays: dict
    parent: "MadePlace | None" = None
    dropped: tuple = ()
    reads: list = field(default_factory=list)

    @property
    def names(self):
        return (frozenset() if self.parent is None else self.parent.names - set(self.dropped)) | self.arrays.keys()

    def read(self, name):
        if name not in self.arrays:
            return self.parent.read(name)
        if isinstance(self.arrays[name], Exception):
            raise self.arrays[name]
        self.reads.append(name)
        return self.arrays[name]

    def chain(self):
        yield self
        if self.parent is not None:
            yield from self.parent.chain()


def entry(place, capture="1", person="a", source="s", dataset="d", variant="plain", mask="none", **more):
    origin = f"{dataset}/{person}/{capture}"
    sample_id = origin if variant == "plain" else f"{origin}~{variant}~0"
    tags = {} if mask is None else {"mask": mask}
    own = {"identity": f"{dataset}/{person}", "dataset": dataset, "origin_id": origin, "source": source, "path": ""}
    return Entry(sample_id, sample_id, place=place, variant=variant, tags=tags, **{**own, **more})


def dome(sigma_mm=0.0, distance_mm=500.0, size=120, focal_px=400.0, seed=0):
    """A depth image of a sphere's front before a wall; noise as put on."""
    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) * distance_mm / focal_px
    inside = 80.0**2 - x * x - y * y
    z = np.where(inside > 0, distance_mm + 80 - np.sqrt(np.maximum(inside, 0)), 900.0)
    return (z + rng.normal(0, sigma_mm, z.shape)).astype("f4"), np.array([focal_px, focal_px, size / 2, size / 2])


@pytest.mark.parametrize("sigma_mm", [0.5, 1.5])
def test_depth_is_measured_in_the_box_without_the_wall(sigma_mm):
    depth, intrinsics = dome(sigma_mm)
    depth[50:52, 50:52] = 0
    depth[60, 60] = np.nan
    source = MadePlace({"depth": depth, "intrinsics": intrinsics})
    seen = MadePlace({"box": np.array([10, 5, 110, 115], "f4")}, source)
    cloud = MadePlace({"points": np.zeros((4, 3), "f4")}, seen, ("depth", "box"))
    found = measure_face(entry(cloud))
    inside = depth[5:115, 10:110]
    assert found.readings == ((inside > 0) & (inside < 500 + FACE_DEPTH_MM)).sum()
    assert found.noise_mm == pytest.approx(sigma_mm, rel=0.15)
    assert found.near_mm == pytest.approx(500, abs=3 * sigma_mm + 1)
    assert found.near_mm < found.middle_mm < found.far_mm < 900


def test_without_a_box_the_whole_image_is_looked_at_and_images_changed_later_are_not():
    depth, intrinsics = dome()
    worn = MadePlace({"depth": depth * 0}, MadePlace({"depth": depth, "intrinsics": intrinsics}))
    found = measure_face(entry(worn))
    assert found.readings == (depth < 800).sum()
    assert found.noise_mm == 0
    assert worn.reads == []


def test_a_scanners_grid_is_measured_at_any_distance():
    depth, (focal_px, *_) = dome(0.4)
    y, x = (np.mgrid[:120, :120] - 59.5) * 500 / focal_px
    for moved_mm in (0, -700):
        grid = np.stack([x, y, depth + moved_mm], axis=-1).astype("f4")
        grid[depth > 800] = np.nan
        found = measure_face(entry(MadePlace({"grid": grid})))
        assert found.noise_mm == pytest.approx(0.4, rel=0.2)
        assert found.near_mm == pytest.approx(500 + moved_mm, abs=3)


def test_noise_of_a_coarse_image_is_not_told():
    depth, intrinsics = dome(0.5, size=48, focal_px=150.0)
    found = measure_face(entry(MadePlace({"depth": depth, "intrinsics": intrinsics})))
    assert found.noise_mm is None
    assert found.readings > 500


def test_points_alone_are_measured_too():
    depth, (focal_px, *_) = dome(0.3)
    y, x = (np.mgrid[:120, :120] - 59.5) * 500 / focal_px
    points = np.stack([x, y, depth], axis=-1)[depth < 512].astype("f4")
    first = MadePlace({"points": points})
    found = measure_face(entry(MadePlace({"points": points[::9]}, first)))
    assert found.readings == len(points)
    assert found.noise_mm == pytest.approx(0.3, rel=0.2)


@pytest.mark.parametrize(
    "arrays",
    [
        {"color": np.zeros((4, 4, 3), "u1")},
        {"depth": np.zeros((8, 8), "f4")},
        {"depth": Unreadable("torn", "cut off")},
        {"grid": np.full((4, 4, 3), np.nan, "f4")},
        {"points": np.zeros((0, 3), "f4")},
        {"depth": FileNotFoundError("gone")},
    ],
)
def test_what_cannot_be_measured_is_none(arrays):
    assert measure_face(entry(MadePlace(arrays))) is None


def rows():
    depth, intrinsics = dome(0.5)
    place = MadePlace({"depth": depth, "intrinsics": intrinsics})
    mine = [entry(place, str(k), person, n_points=100 * k) for person in "ab" for k in (1, 2, 3)]
    mine += [entry(place, "1", "a", variant="mask:kn95.0", mask="kn95", n_points=9)]
    mine += [entry(place, f"w{k}", "a", "worn", mask="worn") for k in (1, 2)]
    return [*mine, entry(MadePlace({}), "1", "c", "photos", "e", mask=None)]


def test_counts_of_sources_of_a_dataset_with_two_and_of_all():
    found = {(domain.kind, domain.name): domain.record() for domain in domains(rows(), 2)}
    assert list(found) == [("source", "photos"), ("source", "s"), ("source", "worn"), ("dataset", "d"), ("all", "all")]
    counted = ("people", "captures", "samples", "masked", "captures_a_person", "captures_read", "captures_not_read")
    assert {key: [record[name] for name in counted] for key, record in found.items()} == {
        ("source", "photos"): [1, 1, 1, 0, [1, 1, 1], 0, 1],
        ("source", "s"): [2, 6, 7, 1, [3, 3, 3], 2, 0],
        ("source", "worn"): [1, 2, 2, 2, [2, 2, 2], 2, 0],
        ("dataset", "d"): [2, 8, 9, 3, [3, 4, 5], 4, 0],
        ("all", "all"): [3, 9, 10, 3, [1, 3, 5], 4, 1],
    }
    assert found["source", "s"]["points"] == [9, 200, 300]
    assert found["source", "s"]["masked_share"] == pytest.approx(1 / 7, abs=1e-4)
    assert found["source", "photos"]["depth_mm"] is found["source", "photos"]["noise_mm"] is None
    assert json.loads(json.dumps(found["source", "s"])) == found["source", "s"]


def test_who_goes_by_several_names_is_one_person():
    mine = [entry(MadePlace({}), "1", "a"), entry(MadePlace({}), "1", "b", identity="d/a~mirror")]
    assert domains(mine, 1)[0].captures_of == (2,)


def test_the_same_captures_are_read_each_time_and_plain_rows_first():
    mine = [entry(None, str(k), variant=v) for k in range(30) for v in ("mask:x.0", "plain")]
    some = chosen(mine, 5)
    assert [one.id for one in some] == [one.id for one in chosen(mine[::-1], 5)]
    assert {one.variant for one in some} == {"plain"}
    more = chosen([*mine, entry(None, "new")], 5)
    assert len({one.id for one in some} - {one.id for one in more}) <= 1


def test_least_median_and_most():
    assert spread([]) is None
    assert spread((3, 1, 10)) == [1, 3, 10]


def test_one_source_has_no_line_of_all_and_the_table_is_aligned():
    assert [domain.kind for domain in domains(rows()[:7], 1)] == ["source"]
    lines = domain_table(domains(rows(), 2))
    assert len({len(line) for line in lines}) == 1
    assert [line.split("  ")[0] for line in lines[1:]] == ["photos", "s", "worn", "(dataset d)", "(all)"]
    assert lines[1].split()[2:] == ["1", "1", "1", "1", "0%", "-", "-", "-", "-"]


@pytest.mark.slow
@pytest.mark.parametrize("n_sources", [1, 11])
def test_the_picture_has_room_for_every_source(n_sources):
    some = [domain for domain in domains(rows(), 2) if domain.kind == "source"]
    image = draw_domains("t: x_{1}$", (some * 4)[:n_sources])
    assert image.dtype == np.uint8
    assert abs(image.shape[1] - 1290) <= 1  # as matplotlib rounds
    assert image.std() > 10
    assert image.shape[0] >= 90 * n_sources


@pytest.fixture
def workspace(tmp_path):
    write_tiny_rgbd(tmp_path / "lab", people=3, captures=2, width=96, height=72)
    write_tiny_rgbd(tmp_path / "hall", people=2, captures=2, width=96, height=72, seed=5)
    (tmp_path / "two.yaml").write_text(
        "name: two\n"
        "sources:\n"
        "  lab: {reader: rgbd_folder, root: lab}\n"
        "  hall: {reader: rgbd_folder, root: hall, tags: {mask: worn}}\n"
        "steps:\n"
        "  - {id: both, table: combine, from: [lab, hall]}\n"
        "  - {id: faces, stage: detect, from: both, with: {detector: given}}\n"
        "  - {id: clouds, stage: to_cloud, from: faces, with: {min_points: 50}}\n"
        "datasets:\n"
        "  two: {from: faces, fields: [depth]}\n"
    )
    done = invoke("run", str(tmp_path / "two.yaml"), "-w", str(tmp_path / "work"), "--engine", "serial")
    assert done.exit_code == 0, done.output
    return tmp_path


def invoke(*arguments):
    return CliRunner().invoke(face3d, arguments)


@pytest.mark.slow
def test_a_run_is_told_in_a_table_and_a_picture(workspace):
    work = str(workspace / "work")
    done = invoke("domains", "two", "-w", work, "--most", "2")
    assert done.exit_code == 0, done.output
    header, hall, lab, everything, which, read, picture = done.output.splitlines()
    assert hall.split()[:8] == ["hall", "hall", "2", "4", "2", "4", "100%", "-"]
    assert lab.split()[:8] == ["lab", "lab", "3", "6", "2", "6", "0%", "-"]
    assert everything.startswith("(all)")
    assert "noise mm" in header
    assert "rows of 'faces'" in which
    assert "in at most 2 captures of a source" in read
    assert "hall 2 of 4; lab 2 of 6" in read
    assert picture == f"{work}/show/two-domains.png"
    assert cv2.imread(picture) is not None


@pytest.mark.slow
def test_a_step_a_file_and_json(workspace):
    out = workspace / "d.png"
    arguments = [str(workspace / "two.yaml"), "-w", str(workspace / "work"), "--step", "clouds", "--out", str(out)]
    done = invoke("domains", *arguments, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["pipeline"], told["step"], told["most"], told["picture"]) == ("two", "clouds", 20, str(out))
    hall, lab, _ = told["domains"]
    assert (hall["masked_share"], lab["captures_read"], lab["captures_not_read"]) == (1.0, 6, 0)
    assert lab["points"][0] > 50
    assert 400 < lab["depth_mm"][0] < lab["depth_mm"][1] < lab["depth_mm"][2] < 800
    assert out.exists()
    again = invoke("domains", *arguments, "--json")
    assert again.output == done.output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("three",), "pipeline 'three' has not run"),
        (("two", "--step", "crops"), r"--step crops: pipeline 'two' has no such source or step \(lab, hall, both,"),
        (("two", "--out", f"{__file__}/d.png"), "test_domains.py is not a folder that can be written"),
    ],
)
def test_what_does_not_fit_is_one_line(workspace, arguments, message):
    done = invoke("domains", *arguments, "-w", str(workspace / "work"))
    assert isinstance(done.exception, UserError)
    assert done.exit_code == 1
    with pytest.raises(UserError, match=message):
        raise done.exception


def test_what_could_not_be_read_or_is_not_finished_is_said():
    told = domain_notes(domains(rows(), 2), "scaled", 2, ["scaled"])
    assert told[2] == "not measured (no depth or points, or unreadable): photos 1"
    assert told[3] == "not finished: scaled still have inputs to process"
