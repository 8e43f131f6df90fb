import csv
import json
import shutil

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from made import accept, build, manifest, sign, spec_of

from face3d_data.cli.verify import command
from face3d_data.errors import UserError
from face3d_data.shards.audit.verify import verify_dataset

SPEC = spec_of(
    fields=["points", "normals", "color"], shard_size=4, pairs={"folds": 2, "per_fold": 4}, gallery=True, normalize=True
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build(tmp_path_factory.mktemp("datasets"), manifest(n_people=12), SPEC).parent


@pytest.fixture
def link(built, tmp_path):
    shutil.copytree(built, tmp_path / "datasets", symlinks=True)
    return tmp_path / "datasets" / "faces"


def edit_csv(path, change):
    """Apply `change` to the rows (lists of texts, header first) of a CSV."""
    with open(path, newline="") as stream:
        rows = list(csv.reader(stream))
    change(rows)
    with open(path, "w", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)


def edit_info(link, change):
    info = json.loads((link / "dataset.json").read_text())
    change(info)
    sign(link, info)


def problems(link):
    return [str(problem) for problem in verify_dataset(link).problems]


def column(name):
    header = "id,name,class,sample_id,identity,dataset,split,variant,origin_id,shard,index,n_points,key,root,content"
    return header.split(",").index(name)


@pytest.mark.slow
def test_a_fresh_dataset_is_ok(link):
    verdict = verify_dataset(link)
    assert verdict.problems == ()
    assert verdict.splits["test"] == {"samples": 12, "people": 4}
    assert verdict.shared == {"identity": 0, "origin": 0, "root": 0, "key": 0, "content": 0}


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"dtype": "float16"}, {"fields": ["color"]}, {"probe": True}])
def test_other_kinds_are_ok_too(tmp_path, options):
    assert problems(build(tmp_path, spec=spec_of(**options))) == []
    assert problems(build(tmp_path / "all", manifest().assign(split=""), spec_of())) == []


def test_images_without_points_are_ok(tmp_path):
    frame = manifest().assign(n_points=None)
    assert problems(build(tmp_path, frame, spec_of(fields=["color", "depth"], gallery=True, pairs=True))) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["shards/test-40000.h5", "train.csv", "train_labels.npy", "pairs.txt", "dirty.csv", "eval_files.txt"]
)
def test_one_flipped_byte_is_found(link, name):
    data = bytearray((link / name).read_bytes())
    place = data.rindex(b"\n") if name.endswith(("txt", "csv")) else len(data) // 2
    data[place] ^= 1
    (link / name).write_bytes(data)
    assert f"files: {name}: has another sha256 than dataset.json says: it was changed or damaged" in problems(link)


@pytest.mark.slow
def test_missing_and_foreign_files_are_found(link):
    (link / "shards/train-20000.h5").unlink()
    (link / "probe.csv").unlink()
    (link / "notes.txt").write_text("mine")
    found = problems(link)
    assert "files: shards/train-20000.h5: is missing" in found
    assert "files: probe.csv: is missing" in found
    assert "files: notes.txt: is not listed in dataset.json" in found
    assert any(p.startswith("rows: shards/train-20000.h5: cannot be read as a shard") for p in found)


def change_class(rows):
    rows[1][column("class")], rows[-1][column("class")] = "11", "10"


def change_id(rows):
    rows[1][0] += "x"


def change_name(rows):
    rows[2][1] = "d__p99"


def double(rows):
    rows[2][3] = rows[1][3]


def swap_index(rows):
    rows[2][column("index")], rows[3][column("index")] = rows[3][column("index")], rows[2][column("index")]


def change_variant(rows):
    rows[1][column("variant")] = "aug:9"


def drop_row(rows):
    rows.pop()


def rename_column(rows):
    rows[0][2] = "klass"


def other_split(rows):
    rows[1][column("split")] = "eval"


def wrong_origin(rows):
    rows[1][column("origin_id")] = "d/p77/c0"


def wrong_dataset(rows):
    rows[1][column("dataset")] = "e"


def bad_number(rows):
    rows[1][column("class")] = "four"


def reorder(rows):
    rows[1], rows[2] = rows[2], rows[1]


def other_shard(rows):
    rows[1][column("shard")], rows[-1][column("shard")] = rows[-1][column("shard")], rows[1][column("shard")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_class, "labels: train.csv: class is not the place of name among the sorted names in 2 rows"),
        (change_id, "labels: train.csv: id is not the name of sample_id in 1 row"),
        (change_name, "labels: train.csv: name is not the name of identity in 1 row"),
        (double, "labels: *.csv: 1 sample ids occur twice"),
        (swap_index, "rows: shards/train-10000.h5: sample_id is not that of the CSV"),
        (change_variant, "rows: shards/train-00000.h5: variant is not that of the CSV"),
        (drop_row, "rows: shards/train-80000.h5: holds 3 rows, the CSV names the places [0, 1] …"),
        (drop_row, "rows: dataset.json: split train: {'people': 4, 'samples': 12, 'shards': 5}"),
        (rename_column, "schema: train.csv: has the columns id,name,klass"),
        (other_split, "schema: train.csv: holds rows of another split"),
        (wrong_origin, "labels: train.csv: sample is not of its origin in 1 row"),
        (wrong_dataset, "labels: train.csv: identity is not of the dataset in 1 row"),
        (bad_number, "schema: train.csv: cannot be read"),
        (reorder, "rows: train.csv: is not in the order of digest(seed, sample_id)"),
        (other_shard, "rows: shards/train-00000.h5: "),
    ],
)
def test_faults_in_a_csv(link, change, message):
    edit_csv(link / "train.csv", change)
    accept(link)
    assert any(found.startswith(message) for found in problems(link)), problems(link)


def put_nan(file):
    file["normal"][0, 0, 0] = np.nan


def chunk(file):
    data = file["data"][:]
    del file["data"]
    file.create_dataset("data", data=data, chunks=(1, 16, 3))


def widen(file):
    data = file["data"][:]
    del file["data"]
    file.create_dataset("data", data=data.astype("f8"))


def drop_color(file):
    del file["color"]


def drop_content(file):
    del file["content"]


def drop_scale(file):
    del file["scale"]


def add_array(file):
    file.create_dataset("mood", data=np.zeros(4))


def other_rows(file):
    file.attrs["made_of"] = "other"


def other_unit(file):
    file["data"].attrs["unit"] = "m"


def other_person(file):
    identities = file["identity"][:]
    identities[0] = b"d/p1"
    file["identity"][...] = identities


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put_nan, "normal holds values that are not finite"),
        (chunk, "cannot be read as a shard ('data' is not contiguous"),
        (widen, "data is float64 (3, 16, 3), not float32 (3, 16, 3)"),
        (drop_color, "contains no 'color'"),
        (drop_content, "cannot be read as a shard"),
        (drop_scale, "holds centroid, color, content, data, identity, normal, root, sample_id, variant, which is not"),
        (
            add_array,
            "holds centroid, color, content, data, identity, mood, normal, root, sample_id, scale, variant,",
        ),
        (other_rows, "has the attributes"),
        (other_unit, "data is in m, not in unit sphere"),
        (other_person, "identity is not that of the CSV"),
    ],
)
def test_faults_in_a_shard(link, change, message):
    with h5py.File(link / "shards/test-00000.h5", "r+") as file:
        change(file)
    accept(link)
    assert any(found.startswith(f"rows: shards/test-00000.h5: {message}") for found in problems(link)), problems(link)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"), [(1, "holds other labels than the classes of the CSV"), (0, "cannot be read")]
)
def test_faults_in_labels(link, change, said):
    labels = np.load(link / "test_labels.npy")
    if change:
        np.save(link / "test_labels.npy", labels + change)
    else:
        (link / "test_labels.npy").write_bytes(b"")
    accept(link)
    assert [found[: len(said) + 23] for found in problems(link)] == [f"rows: test_labels.npy: {said}"]


@pytest.mark.slow
def test_rows_in_another_shard_than_their_digests_say(link):
    accept(link, lambda info: info["spec"].update(shard_size=5))
    found = problems(link)
    assert "rows: train.csv: names other shards than the digests of its rows" in found
    assert all("names other shards" in one for one in found), found


@pytest.mark.slow
def test_arrays_that_are_elsewhere_than_described(link):
    accept(link, lambda info: info["shards"]["shards/test-00000.h5"]["offsets"].update(data=16))
    assert problems(link) == ["rows: shards/test-00000.h5: its arrays are not where dataset.json says"]


def move(link, to_identity=None, to_origin=None, key=None):
    """Give the first train row another person, capture or key, everywhere it is written."""

    def change(rows):
        for name, value in (("identity", to_identity), ("origin_id", to_origin), ("key", key)):
            if value:
                rows[1][column(name)] = value

    edit_csv(link / "train.csv", change)
    accept(link)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"to_identity": "d/p2"}, "1 person in more than one split: d/p2"),
        ({"to_identity": "d/p2~mirror"}, "1 person in more than one split: d/p2"),
        ({"to_origin": "d/p2/c0"}, "1 capture in more than one split: d/p2/c0"),
        ({"key": f"{6:032x}"}, "2 samples with equal key in more than one split: "),
    ],
)
def test_leaks_between_splits(link, where, message):
    move(link, **where)
    assert any(f"leaks: train, eval, test: {message}" in found for found in problems(link)), problems(link)
    assert 1 in verify_dataset(link).shared.values() or verify_dataset(link).shared["key"] == 2


@pytest.mark.slow
def test_equal_bytes_in_two_splits(link):
    with h5py.File(link / "shards/train-10000.h5") as one, h5py.File(link / "shards/test-80000.h5", "r+") as other:
        other["color"][2] = one["color"][1]
    accept(link)
    verdict = verify_dataset(link)
    assert [p.check for p in verdict.problems] == ["rows", "leaks"]
    assert verdict.problems[0].detail == "content is not that of its arrays"
    assert "2 samples with equal content in more than one split" in verdict.problems[1].detail
    assert verdict.shared == {"identity": 0, "origin": 0, "root": 0, "key": 0, "content": 2}


def test_blank_images_are_no_leak(tmp_path):
    frame = manifest()
    for place in frame["place"]:
        place.arrays["color"] = np.zeros((4, 5, 3), "u1")
    assert problems(build(tmp_path, frame, spec_of(fields=["points", "color"]))) == []


def test_allowed_leaks_are_still_listed(tmp_path):
    frame = manifest()
    frame.loc[0, "origin_id"] = "d/p1/c0"
    assert any("1 capture in more than one split" in p for p in problems(build(tmp_path, frame, allow_leaks=True)))


def test_a_closed_set_may_share_people_only(tmp_path):
    frame = manifest()
    frame["split"] = ["train", "eval", "test"] * 6
    link = build(tmp_path, frame, by="capture")
    verdict = verify_dataset(link)
    assert verdict.problems == ()
    assert verdict.shared["identity"] is None
    edit_info(link, lambda info: info.update(by="identity"))
    assert any("6 people in more than one split" in p for p in problems(link))


def genuine_of_two(rows):
    rows[1][4:6] = rows[-1][4:6]


def genuine_in_one_capture(rows):
    rows[1][4:6] = rows[1][2:4]


def impostor_of_one(rows):
    rows[-1][4:6] = rows[-1][2:4]


def stranger(rows):
    rows[1][2] = "d__p0__c0"


def misnamed(rows):
    rows[1][3] = "d__p77"


def twice(rows):
    rows[2] = list(rows[1])


def lost(rows):
    rows.pop()


def refold(rows):
    for row in rows[1:]:
        row[0] = str(1 - int(row[0]))


def gap(rows):
    for row in rows[1:]:
        row[0] = str(2 * int(row[0]))


def crossing(rows):
    rows[1], rows[9] = ["0", *rows[9][1:]], ["1", *rows[1][1:]]


def pair_columns(rows):
    rows[0][1] = "genuine"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (genuine_of_two, "pairs are called genuine but show two people"),
        (genuine_in_one_capture, "pairs are genuine within one capture"),
        (impostor_of_one, "pairs are called impostors but show one person"),
        (stranger, "pairs name a sample that is not in their split"),
        (misnamed, "pairs have other names than their samples"),
        (twice, "pairs occur twice"),
        (lost, "folds have unequal numbers of genuine and impostor pairs"),
        (gap, "the folds are [0, 2]"),
        (crossing, "people are in several folds"),
        (pair_columns, "has the columns fold,genuine"),
    ],
)
def test_faults_in_pairs(link, change, message):
    edit_csv(link / "pairs.csv", change)
    accept(link)
    assert any(found.startswith("lists: pairs.csv: ") and message in found for found in problems(link)), problems(link)


@pytest.mark.slow
def test_pairs_txt_has_to_say_the_same(link):
    edit_csv(link / "pairs.csv", refold)
    accept(link)
    assert problems(link) == []
    lines = (link / "pairs.txt").read_text().splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    (link / "pairs.txt").write_text("\n".join(lines) + "\n")
    accept(link)
    assert problems(link) == ["lists: pairs.txt: holds other pairs than pairs.csv"]


@pytest.mark.slow
def test_faults_in_gallery_and_probe(link):
    edit_csv(link / "probe.csv", lambda rows: rows[1].__setitem__(column("variant"), "aug:1"))
    accept(link)
    assert problems(link) == ["lists: probe.csv: 1 row is not one of test.csv (d__p2__c1 …)"]
    gallery = (link / "gallery.csv").read_text().splitlines()
    probe = (link / "probe.csv").read_text().splitlines()
    (link / "probe.csv").write_text("\n".join([probe[0], gallery[1]]) + "\n")
    accept(link)
    assert problems(link) == ["lists: probe.csv: 1 capture is in the gallery too (d/p2/c0 …)"]
    (link / "probe.csv").write_text("id,name\n")
    accept(link)
    assert problems(link) == ["lists: probe.csv: has the columns id,name"]


@pytest.mark.slow
def test_faults_in_lists_of_shards_and_dirty_rows(link):
    (link / "eval_files.txt").write_text("shards/eval-00000.h5\n")
    accept(link)
    assert problems(link) == ["rows: eval_files.txt: lists other shards than the CSV"]
    (link / "dirty.csv").write_text("sample_id\n")
    accept(link)
    assert problems(link) == ["schema: dirty.csv: has the columns sample_id"]


@pytest.mark.slow
def test_another_schema_version_is_a_user_error(link):
    edit_info(link, lambda info: info.update(schema_version=99))
    with pytest.raises(UserError, match="schema version 99, this version reads 3"):
        verify_dataset(link)
    edit_info(link, lambda info: [info.update(schema_version=3), info.pop("arrays")])
    with pytest.raises(UserError, match="lacks arrays: build the dataset again"):
        verify_dataset(link)


@pytest.mark.slow
def test_lists_that_are_gone_are_problems_not_errors(link):
    for name in ("pairs.csv", "gallery.csv"):
        (link / name).unlink()
    found = problems(link)
    assert any(p.startswith("lists: pairs.csv: cannot be read") for p in found)
    assert any(p.startswith("lists: gallery.csv: cannot be read") for p in found)


@pytest.mark.slow
def test_command_by_name_and_by_path(link, tmp_path):
    for name in ("faces", str(link)):
        done = CliRunner().invoke(command, [name, "-w", str(tmp_path)])
        assert done.exit_code == 0, done.output
        assert "faces: test: 12 samples, 4 people\n" in done.output
        assert (
            "faces: shared between splits: people 0, captures 0, recordings 0, keys 0, equal contents 0\n"
            in done.output
        )
        assert done.output.endswith("faces: ok\n")


@pytest.mark.slow
def test_command_lists_what_is_wrong_and_exits_1(link, tmp_path):
    (link / "train.csv").unlink()
    done = CliRunner().invoke(command, ["faces", "-w", str(tmp_path)])
    assert done.exit_code == 1
    assert "faces: files: train.csv: is missing\n" in done.output
    assert done.output.endswith("faces: 2 problems\n")
    as_json = CliRunner().invoke(command, ["faces", "-w", str(tmp_path), "--json"])
    assert as_json.exit_code == 1
    record = json.loads(as_json.output)
    assert record["ok"] is False
    assert record["problems"][0] == {"check": "files", "where": "train.csv", "detail": "is missing"}


@pytest.mark.slow
def test_command_on_what_is_no_dataset(link, tmp_path):
    done = CliRunner().invoke(command, ["fases", "-w", str(tmp_path)])
    assert isinstance(done.exception, UserError)
    assert "no dataset 'fases'" in str(done.exception)
    assert "(there: faces)" in str(done.exception)
    done = CliRunner().invoke(command, [str(tmp_path)])
    assert "is not a dataset (it has no dataset.json)" in str(done.exception)
