import numpy as np
import pandas as pd
import pytest
from made import MemoryPlace, build, manifest, plan_of, read, spec_of
from pydantic import ValidationError

from face3d_data import ShardReader
from face3d_data.digest import digest
from face3d_data.errors import RunStopped, UserError
from face3d_data.names import name_of
from face3d_data.shards.contents import hash_rows
from face3d_data.shards.leaks import Leak
from face3d_data.shards.schema import DATASET_COLUMNS, GallerySpec, PairsSpec


def test_table_columns_and_labels_over_the_whole_dataset():
    frame = manifest()
    frame["identity"] = frame["identity"].str.replace("p3", "é p_3")
    table = plan_of(frame).table
    assert tuple(table.columns) == DATASET_COLUMNS
    names = sorted({name_of(identity) for identity in frame["identity"]})
    for row in table.itertuples():
        assert row.name == name_of(row.identity)
        assert row.id == name_of(row.sample_id)
        assert row[3] == names.index(row.name)
    assert sorted(set(table["class"])) == list(range(6))


def test_order_is_by_split_then_digest_and_shards_are_cut():
    table = plan_of(manifest(), spec_of(shard_size=4)).table
    assert table["split"].drop_duplicates().tolist() == ["train", "eval", "test"]
    for split, rows in table.groupby("split"):
        assert rows["sample_id"].tolist() == sorted(rows["sample_id"], key=lambda i: digest(5, i))
        halves = [f"shards/{split}-{'00000' if digest(5, i) < '8' else '80000'}.h5" for i in rows["sample_id"]]
        assert rows["shard"].tolist() == halves
        assert rows["index"].tolist() == [*range(halves.count(halves[0])), *range(halves.count(halves[-1]))]


def test_other_splits_follow_the_standard_ones():
    frame = manifest(splits=("zeta", "test", "alpha"))
    assert plan_of(frame).table["split"].drop_duplicates().tolist() == ["test", "alpha", "zeta"]


def test_places_follow_their_rows():
    frame = manifest()
    plan = plan_of(frame)
    by_id = dict(zip(frame["id"], frame["place"], strict=True))
    assert all(by_id[i] is place for i, place in zip(plan.table["sample_id"], plan.places, strict=True))
    assert plan.tags["id"].tolist() == plan.table["sample_id"].tolist()


def test_an_empty_standard_split_still_has_its_csv(tmp_path):
    link = build(tmp_path, manifest(splits=("train", "test")))
    assert (link / "eval.csv").read_text() == ",".join(DATASET_COLUMNS) + "\n"
    assert (link / "eval_files.txt").read_text() == ""


def test_no_split_at_all_is_the_split_all(tmp_path):
    link = build(tmp_path, manifest().assign(split=""))
    assert sorted(path.name for path in link.glob("*.csv")) == ["all.csv", "dirty.csv", "sources.csv"]
    frame = manifest()
    frame.loc[0, "split"] = ""
    with pytest.raises(UserError, match="1 row has no split while others do"):
        plan_of(frame)


def test_split_csv_bytes(tmp_path):
    frame = manifest(n_people=3, n_captures=1)
    frame.loc[0, ["identity", "id", "origin_id"]] = ["d/zoë b", "d/zoë b/c,1", "d/zoë b/c,1"]
    link = build(tmp_path, frame)
    (shown,) = hash_rows(ShardReader(link, "train").__getitems__([0]).arrays["points"], "points")
    assert (link / "train.csv").read_bytes().decode() == (
        "id,name,class,sample_id,identity,dataset,split,variant,origin_id,shard,index,n_points,key,root,content\n"
        'd__zo%C3%AB%20b__c%2C1,d__zo%C3%AB%20b,2,"d/zoë b/c,1",d/zoë b,d,train,plain,"d/zoë b/c,1",'
        f"shards/train-00000.h5,0,16,00000000000000000000000000000000,,points:{shown.hex()}\n"
    )
    assert (link / "train_files.txt").read_bytes() == b"shards/train-00000.h5\n"
    assert (link / "dirty.csv").read_bytes() == b"sample_id,source,step,status,reason,detail,path\n"


def test_dirty_csv_has_every_step_s_rows_sorted_and_without_attempt(tmp_path):
    earlier = pd.DataFrame(
        {
            "sample_id": ["d/z/1", "d/b/1"],
            "source": ["src", "src"],
            "step": ["faces", "faces"],
            "status": ["reject", "error"],
            "reason": ["no_face", "ValueError"],
            "detail": ["", "bad, really"],
            "path": ["z/1.png", "b/1.png"],
            "attempt": [1, 3],
        }
    )
    frame = manifest()
    del frame["place"][0].arrays["points"]
    link = build(tmp_path, frame, dirty=earlier, makers={"points": {"clouds": "to_cloud", "more": "load_ply"}})
    assert (link / "dirty.csv").read_text().splitlines() == [
        "sample_id,source,step,status,reason,detail,path",
        'd/b/1,src,faces,error,ValueError,"bad, really",b/1.png',
        "d/p0/c0,src,faces,reject,missing_points,has no 'points': 'to_cloud' or 'load_ply' would give it,p0/c0.png",
        "d/z/1,src,faces,reject,no_face,,z/1.png",
    ]
    assert plan_of(frame, dirty=earlier).digest != plan_of(frame).digest


FIVE_ONLY = ": these rows have the five landmarks only: use `detector: facemesh`, or leave the field out"


@pytest.mark.parametrize(
    ("field", "steps", "said"),
    [
        ("landmarks_68_3d", (), ": 'to_cloud' would give it"),
        ("landmarks_68_3d", ("clouds",), FIVE_ONLY),
        ("landmarks_68", ("faces",), FIVE_ONLY),
        ("landmarks_68", ("clouds",), ": 'detect' would give it"),
        ("vertices", ("fit",), ", although it went through 'register': leave the field or these rows out"),
        ("vertices", (), ": 'register' would give it"),
    ],
)
def test_a_step_that_a_row_went_through_is_no_remedy(field, steps, said):
    frame = manifest()
    for i, place in enumerate(frame["place"]):
        if i:
            place.arrays[field] = np.zeros((68, 2 if field == "landmarks_68" else 3), np.float32)
        else:
            place.steps = steps
    made_by = {"landmarks_68_3d": ("clouds", "to_cloud"), "landmarks_68": ("faces", "detect")}
    makers = {name: dict([step]) for name, step in {**made_by, "vertices": ("fit", "register")}.items()}
    plan = plan_of(frame, spec_of(fields=[field]), makers=makers)
    assert plan.left_out["detail"].tolist() == [f"has no {field!r}{said}"]


def test_rows_whose_normals_are_not_those_of_their_points_are_left_out():
    frame = manifest()
    frame["place"][3].arrays["normals"] = np.zeros((9, 3), "f4")
    plan = plan_of(frame, spec_of(fields=["normals", "points"]))
    assert plan.left_out[["sample_id", "reason", "detail"]].to_numpy().tolist() == [
        ["d/p1/c0", "other_size", "'normals' has 9 rows where 'points' has 16: let both pass the same steps"]
    ]
    assert len(plan_of(frame, spec_of(fields=["normals"])).table) == 17


def test_a_recording_that_was_read_twice_is_left_out_once_and_told():
    frame = manifest(variants=("plain", "mask:a.0"))
    for variant in (0, 1):
        frame.loc[2 + variant, "key"] = frame.loc[variant, "key"]
    plan = plan_of(frame)
    assert plan.left_out[["sample_id", "reason", "detail"]].to_numpy().tolist() == [
        ["d/p0/c1", "same_content", "is d/p0/c0 once more: one recording was read twice"],
        ["d/p0/c1~mask:a.0~00000003", "same_content",
         "is d/p0/c0~mask:a.0~00000001 once more: one recording was read twice"],
    ]  # fmt: skip
    assert plan.notes == [f"2 rows left out, same_content: {plan.left_out['detail'].iloc[0]} …"]
    backwards = plan_of(frame.iloc[::-1].reset_index(drop=True))
    assert backwards.table.equals(plan.table)
    frame["identity"] = ["d/p9" if origin == "d/p0/c1" else who for origin, who in
                         zip(frame["origin_id"], frame["identity"], strict=True)]  # fmt: skip
    assert not len(plan_of(frame, allow_leaks=True).left_out), "who the recording shows is not for the program to say"


def test_faces_of_two_templates_name_the_option_that_differs():
    frame = manifest()
    for i, place in enumerate(frame["place"]):
        place.arrays["vertices"] = np.zeros((7 if i else 9, 3), "f4")
    plan = plan_of(frame, spec_of(fields=["vertices"]))
    said = "'vertices' is 9x3 where most rows have 7x3: one 'template' of 'register' would make them equal"
    assert plan.left_out[["reason", "detail"]].to_numpy().tolist() == [["other_size", said]]


def test_rows_of_another_size_are_left_out_whatever_their_order():
    frame = manifest()
    for i in (0, 4):
        frame["place"][i].arrays["points"] = np.zeros((9, 3), "f4")
    frame["place"][7].arrays["depth"] = np.zeros((8, 5), "f4")
    spec = spec_of(fields=["points", "depth"])
    plan = plan_of(frame, spec)
    assert plan.shapes == {"points": (16, 3), "depth": (4, 5)}
    assert len(plan.table) == 15
    assert plan.left_out[["reason", "detail"]].drop_duplicates().to_numpy().tolist() == [
        ["other_size", "'points' is 9x3 where most rows have 16x3: 'subsample' would make them equal"],
        ["other_size", "'depth' is 8x5 where most rows have 4x5: 'crop' would make them equal"],
    ]
    assert plan.left_out["sample_id"].tolist() == ["d/p0/c0", "d/p1/c1", "d/p2/c1"]
    assert plan.notes == [f"3 rows left out, other_size: {plan.left_out['detail'].iloc[0]} …"]
    assert plan_of(frame.iloc[::-1].reset_index(drop=True), spec).digest == plan.digest


def test_a_tie_of_sizes_does_not_rest_on_the_order_of_rows():
    frame = manifest(n_captures=2)
    for i in range(0, 12, 2):
        frame["place"][i].arrays["points"] = np.zeros((20, 3), "f4")
    for rows in (frame, frame.iloc[::-1].reset_index(drop=True)):
        assert plan_of(rows).shapes == {"points": (20, 3)}


def test_nothing_left_says_why():
    frame = manifest()
    with pytest.raises(UserError, match=r"no row of 'all' can be written \(has no 'occlusion'; missing_occlusion 18\)"):
        plan_of(frame, spec_of(fields=["occlusion"]))
    with pytest.raises(UserError, match="there is none"):
        plan_of(frame.iloc[:0])


def test_unknown_shapes_are_read_only_where_allowed():
    frame = manifest()
    frame["place"] = [MemoryPlace(place.arrays, place.order, known=False) for place in frame["place"]]
    with pytest.raises(UserError, match="field 'color' comes directly from its source"):
        plan_of(frame, spec_of(fields=["color"]))
    assert plan_of(frame, spec_of(fields=["color"]), read=read).shapes == {"color": (4, 5, 3)}
    assert plan_of(frame, spec_of(fields=["landmarks"])).shapes == {"landmarks": (5, 2)}


def test_two_rows_with_one_id():
    frame = manifest()
    frame.loc[1, "id"] = frame.loc[0, "id"]
    with pytest.raises(UserError, match="two rows have the id 'd/p0/c0'"):
        plan_of(frame)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("identity", "d/p1~mirror", "1 person in more than one split: d/p1"),
        ("origin_id", "d/p1/c0", "1 capture in more than one split: d/p1/c0"),
        ("key", f"{3:032x}", "2 samples with equal key in more than one split: d/p0/c0, d/p1/c0"),
    ],
)
def test_leaks_stop_before_anything_is_written(tmp_path, column, value, message):
    frame = manifest()
    frame.loc[0, column] = value
    with pytest.raises(RunStopped, match=message):
        build(tmp_path, frame)
    assert not list(tmp_path.iterdir())
    link = build(tmp_path, frame, allow_leaks=True)
    assert f'"{column.removesuffix("_id")}": [' in (link / "dataset.json").read_text()


@pytest.mark.parametrize(("n", "end"), [(1, "d/0"), (3, "d/0, d/1, d/2"), (4, "d/0, d/1, d/2 …")])
def test_a_leak_names_three_at_most(n, end):
    leak = Leak("origin", tuple(f"d/{i}" for i in range(n)))
    assert str(leak) == f"{n} capture{'s' if n > 1 else ''} in more than one split: {end}"


def test_by_capture_shares_people_but_no_capture(tmp_path):
    frame = manifest()
    frame["split"] = ["train", "eval", "test"] * 6
    with pytest.raises(RunStopped, match=r"6 people in more than one split: d/p0, d/p1, d/p2 …"):
        plan_of(frame)
    assert plan_of(frame, by="capture").leaks == []
    frame.loc[0, "origin_id"] = frame.loc[1, "origin_id"]
    with pytest.raises(RunStopped, match="1 capture"):
        plan_of(frame, by="capture")


def test_pairs_gallery_and_probe_files(tmp_path):
    frame = manifest(n_people=12, variants=("plain", "mask:kn95.0"))
    spec = spec_of(pairs={"folds": 2, "per_fold": 3}, gallery={"captures": 1}, probe={"query": "mask == 'worn'"})
    link = build(tmp_path, frame, spec)
    assert (link / "pairs.txt").read_text().splitlines()[0] == "2\t3"
    gallery, probe, test = (pd.read_csv(link / f"{name}.csv") for name in ("gallery", "probe", "test"))
    assert gallery["sample_id"].tolist() == ["d/p2/c0", "d/p5/c0", "d/p8/c0", "d/p11/c0"]
    assert set(probe["variant"]) == {"mask:kn95.0"}
    assert set(probe["origin_id"]) == {f"d/p{p}/c{c}" for p in (2, 5, 8, 11) for c in (1, 2)}
    assert list(gallery.columns) == list(probe.columns) == list(test.columns)
    merged = pd.concat([gallery, probe]).merge(test, how="left", indicator=True)
    assert (merged["_merge"] == "both").all()


def test_tags_count_only_where_a_query_may_rest_on_them():
    frame = manifest().assign(mood="glad")
    other = frame.assign(mood="sad")
    assert plan_of(frame).digest == plan_of(other).digest
    spec = spec_of(gallery={"query": "mood == 'glad' or mood == 'sad'"})
    assert plan_of(frame, spec).digest != plan_of(other, spec).digest


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pairs": {"split": "exam"}}, r"pairs: no row is in split 'exam' \(there: eval, test, train\)"),
        ({"gallery": {"query": "mask == 'x'"}}, "no row of split 'test' can be enrolled"),
        ({"probe": {"query": "nonsense"}}, "probe: query 'nonsense'"),
    ],
)
def test_lists_that_cannot_be_made(tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        build(tmp_path, spec=spec_of(**options))
    assert not (tmp_path / "faces").exists()


def test_spec_reads_as_yaml_gives_it():
    spec = spec_of(fields="points", pairs=True, gallery=False)
    assert (spec.fields, spec.pairs, spec.gallery, spec.upstream) == (("points",), PairsSpec(), None, "all")
    assert spec_of(gallery={}).gallery == GallerySpec()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fields": ["poinst"]}, "'poinst' is not an array"),
        ({"fields": ["points", "points"]}, "named twice"),
        ({"fields": []}, "at least 1 item"),
        ({"fields": ["color"], "normalize": True}, "needs 'points'"),
        ({"shard_size": 0}, "greater than or equal to 1"),
        ({"dtype": "float64"}, "float32"),
        ({"colour": 1}, "Extra inputs"),
        ({"pairs": {"folds": 0}}, "greater than or equal to 1"),
    ],
)
def test_spec_refuses(options, message):
    with pytest.raises(ValidationError, match=message):
        spec_of(**options)
