from collections import Counter, defaultdict
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_rows import manifest

from face3d_data.component import build
from face3d_data.digest import digest
from face3d_data.errors import UserError
from face3d_data.tables.assign import assign, exact
from face3d_data.tables.places import read_places
from face3d_data.tables.split import Split, person_of

RATIOS = {"train": 0.6, "eval": 0.1, "test": 0.3}
ratio_maps = st.lists(st.integers(1, 20), min_size=2, max_size=4).map(
    lambda parts: {f"s{i}": part / sum(parts) for i, part in enumerate(parts)}
)
people_sets = st.integers(0, 60).map(lambda n: {f"d/{i}": f"d/{i}" for i in range(n)})


def rerun(frame, context, result, step=None, **kwargs):
    """Run again the way a pipeline does: with the state of the last run in the run folder."""
    ctx = context(**kwargs)
    for name, text in result.state.items():
        (ctx.run_dir / f"{ctx.step}.{name}").write_text(text)
    return (step or Split(ratios=RATIOS)).run([frame], ctx)


def places_of(result):
    return dict(zip(result.frame["identity"], result.frame["split"], strict=True))


def naive(people, ratios, seed):
    """The rule of one person a unit, in plain steps."""
    counts = dict.fromkeys(ratios, 0)
    placed = {}
    order = sorted(people, key=lambda unit: digest(seed, unit))
    for i, unit in enumerate(order):
        names = list(ratios)
        empty = [name for name in names if counts[name] == 0]
        if len(order) - i <= len(empty):
            names = empty
        best, best_rank = None, None
        for name in names:
            rank = (Fraction(repr(ratios[name])) * len(order) - counts[name], ratios[name], name)
            if best is None or rank > best_rank:
                best, best_rank = name, rank
        counts[best] += 1
        placed[unit] = best
    return placed


@settings(max_examples=60, deadline=None)
@given(people_sets, ratio_maps, st.integers(0, 5))
def test_equals_its_naive_twin(people, ratios, seed):
    assert assign(people, ratios, {}, seed) == naive(people, ratios, seed)


@settings(max_examples=60, deadline=None)
@given(people_sets, ratio_maps, st.integers(0, 5))
def test_the_order_of_ratios_means_nothing(people, ratios, seed):
    turned = dict(reversed(ratios.items()))
    assert assign(people, ratios, {}, seed) == assign(people, turned, {}, seed)


@settings(max_examples=60, deadline=None)
@given(people_sets, ratio_maps, st.integers(0, 5))
def test_counts_are_within_one_of_the_ratios_and_none_is_empty(people, ratios, seed):
    counts = Counter(assign(people, ratios, {}, seed).values())
    assert sum(counts.values()) == len(people)
    if len(people) >= len(ratios):
        assert all(counts[name] for name in ratios)
    for name, ratio in ratios.items():
        slack = 1 if len(people) * min(ratios.values()) >= 1 else len(ratios)
        assert abs(counts[name] - ratio * len(people)) <= slack


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=5), ratio_maps, st.integers(0, 3))
def test_adding_people_moves_nobody_and_leaves_no_split_empty(waves, ratios, seed):
    placed = {}
    people = {}
    for wave in waves:
        people |= {f"d/{len(people) + i}": "" for i in range(wave)}
        people = {unit: unit for unit in people}
        now = assign(people, ratios, placed, seed)
        assert {unit: now[unit] for unit in placed} == placed
        placed = now
        if len(people) >= len(ratios):
            assert set(placed.values()) == set(ratios)


@pytest.mark.parametrize("n_people", range(3, 12))
def test_every_split_has_somebody_from_three_people_on(n_people):
    people = {f"d/{i}": f"d/{i}" for i in range(n_people)}
    assert set(assign(people, {"train": 0.98, "eval": 0.01, "test": 0.01}, {}, 1).values()) == {"train", "eval", "test"}


def test_exact_counts_and_the_largest_deficit_first():
    people = {f"d/{i}": f"d/{i}" for i in range(10)}
    placed = assign(people, RATIOS, {}, 4)
    assert Counter(placed.values()) == {"train": 6, "eval": 1, "test": 3}
    first = min(people, key=lambda unit: digest(4, unit))
    assert placed[first] == "train"
    kept = {f"d/{i}": "train" for i in range(6)}
    assert Counter(assign(people, RATIOS, kept, 4).values()) == {"train": 6, "eval": 1, "test": 3}


def test_the_order_of_rows_does_not_matter_but_the_seed_does():
    people = {f"d/{i}": f"d/{i}" for i in range(30)}
    backwards = dict(reversed(people.items()))
    assert assign(people, RATIOS, {}, 1) == assign(backwards, RATIOS, {}, 1)
    assert assign(people, RATIOS, {}, 1) != assign(people, RATIOS, {}, 2)


def test_a_split_with_ratio_zero_gets_nobody_new():
    people = {f"d/{i}": f"d/{i}" for i in range(9)}
    placed = assign(people, {"train": 0.5, "eval": 0.0, "test": 0.5}, {"d/0": "eval"}, 0)
    assert placed["d/0"] == "eval"
    assert Counter(placed.values())["eval"] == 1
    assert Counter(assign(people, {"eval": 0.0, "train": 0.5, "test": 0.5}, {}, 0).values()) == {"train": 5, "test": 4}


def test_one_split_takes_everybody(context):
    step = build(Split, {"ratios": {"train": 1.0, "eval": 0, "test": 0}}, "step 'people'")
    result = step.run([manifest([(f"d/{i}", "a") for i in range(4)])], context())
    assert set(result.frame["split"]) == {"train"}
    assert result.notes == ("4 people: train 4, eval 0, test 0",)


def test_variants_and_mirrored_faces_stay_with_their_person(context):
    frame = manifest([(f"d/{i}", c, v) for i in range(6) for c in "ab" for v in ("plain", "mask:kn95.0")])
    mirrored = frame.assign(identity=frame["identity"] + "~mirror", id=frame["id"] + "~mirror~12345678")
    both = Split(ratios=RATIOS).run([frame, mirrored], context()).frame
    by_person = defaultdict(set)
    for identity, split in zip(both["identity"], both["split"], strict=True):
        by_person[person_of(identity)].add(split)
    assert len(both) == 48
    assert both.index.tolist() == list(range(48))
    assert all(len(splits) == 1 for splits in by_person.values())
    assert len(by_person) == 6


def test_only_the_split_column_changes(context):
    frame = manifest([(f"d/{i}", "a") for i in range(5)], mood=["x", None, "y", "x", "x"])
    before = frame.copy()
    out = Split(ratios=RATIOS).run([frame], context()).frame
    assert out.drop(columns="split").equals(before.drop(columns="split"))
    assert frame.equals(before)


def test_the_previous_result_is_kept_when_people_join(context):
    small = manifest([(f"d/{i}", "a") for i in range(5)])
    large = manifest([(f"d/{i}", "a") for i in range(25)])
    first = Split(ratios=RATIOS).run([small], context())
    second = rerun(large, context, first)
    assert {k: v for k, v in places_of(second).items() if k in places_of(first)} == places_of(first)
    assert not any("moved" in note for note in second.notes)
    fresh = Split(ratios=RATIOS).run([large], context(step="other"))
    assert places_of(fresh) != places_of(second)


def test_people_who_left_find_their_place_again(context):
    large = manifest([(f"d/{i}", "a") for i in range(12)])
    first = Split(ratios=RATIOS).run([large], context())
    second = rerun(large.iloc[:2].reset_index(drop=True), context, first)
    third = rerun(large, context, second)
    assert places_of(third) == places_of(first)


@pytest.mark.parametrize("change", ["ratios", "seed"])
def test_a_change_redraws_and_says_how_many_moved(context, change):
    frame = manifest([(f"d/{i}", "a") for i in range(40)])
    first = Split(ratios=RATIOS).run([frame], context())
    step = Split(ratios={"train": 0.5, "eval": 0.2, "test": 0.3}) if change == "ratios" else Split(ratios=RATIOS)
    seed = 9 if change == "seed" else 0
    second = rerun(frame, context, first, step, seed=seed)
    people = {f"d/{i}": f"d/{i}" for i in range(40)}
    assert places_of(second) == assign(people, step.ratios, {}, seed)
    moved = sum(places_of(first)[p] != places_of(second)[p] for p in people)
    assert f"{moved} of 40 people moved to another split" in second.notes


def test_changing_by_redraws(context):
    frame = manifest([(f"d/{i}", c) for i in range(4) for c in "abcd"])
    first = Split(ratios=RATIOS).run([frame], context())
    second = rerun(frame, context, first, Split(by="capture", ratios=RATIOS))
    assert second.state["split.csv"].splitlines()[1] == "capture,split"
    third = rerun(frame, context, second)
    assert places_of(third) == places_of(first)


def test_by_capture_keeps_variants_together_and_spreads_each_person(context):
    frame = manifest([(f"d/{i}", c, v) for i in range(5) for c in range(10) for v in ("plain", "aug:0")])
    out = Split(by="capture", ratios=RATIOS).run([frame], context()).frame
    assert out.groupby("origin_id")["split"].nunique().max() == 1
    captures = out.drop_duplicates("origin_id")
    assert captures["split"].value_counts().to_dict() == {"train": 30, "eval": 5, "test": 15}
    for _, person in captures.groupby("identity"):
        assert person["split"].value_counts().to_dict() == {"train": 6, "eval": 1, "test": 3}


def test_state_is_written_exactly(context):
    frame = manifest([("d/zoë", "a"), ("d/a,b", "a"), ("d/c", "a")])
    text = Split(ratios={"train": 0.5, "test": 0.5}).run([frame], context(seed=7)).state["split.csv"]
    header, *lines = text.splitlines()
    assert header == '# {"by":"identity","ratios":{"test":0.5,"train":0.5},"seed":7}'
    assert lines[0] == "identity,split"
    assert [line.rpartition(",")[0] for line in lines[1:]] == ['"d/a,b"', "d/c", "d/zoë"]
    assert text.endswith("\n")
    assert "\r" not in text


def test_frozen_file_wins_over_state_and_ratios(context, tmp_path):
    frame = manifest([(f"d/{i}", "a") for i in range(8)])
    first = Split(ratios=RATIOS).run([frame], context())
    (tmp_path / "f.csv").write_text("identity,split\n" + "".join(f"d/{i},test\n" for i in range(6)))
    second = rerun(frame, context, first, Split(ratios=RATIOS, frozen="f.csv"))
    assert {places_of(second)[f"d/{i}"] for i in range(6)} == {"test"}
    assert {places_of(second)[f"d/{i}"] for i in (6, 7)} == {places_of(first)[f"d/{i}"] for i in (6, 7)}


def test_a_written_state_can_be_frozen(context, tmp_path):
    frame = manifest([(f"d/{i}", "a") for i in range(9)])
    first = Split(ratios=RATIOS).run([frame], context())
    (tmp_path / "frozen.csv").write_text(first.state["split.csv"])
    other = Split(ratios={"train": 0.1, "eval": 0.1, "test": 0.8}, frozen="frozen.csv")
    assert places_of(other.run([frame], context(step="new"))) == places_of(first)


def test_missing_frozen_file_names_the_command(context):
    step = Split(frozen="frozen/people.csv")
    step.fingerprint(0)
    with pytest.raises(UserError, match=r"frozen/people\.csv does not exist: .*face3d split --freeze"):
        step.run([manifest([("d/a", "1")])], context())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("person,split\nd/a,train\n", "needs the columns identity,split"),
        ("identity,split\nd/a,train\nd/a,test\n", "'d/a' is in 'train' and in 'test'"),
        ("identity,split\nd/a,validation\n", "'validation' is not among the ratios"),
    ],
)
def test_bad_frozen_files(context, tmp_path, text, message):
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(UserError, match=message):
        Split(frozen="f.csv").run([manifest([("d/a", "1")])], context())


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00garbage",
        b'# {"by":"identity","ratios":{"test":0.5,"train":0.5},"seed":0}\nidentity,split\nd/a,tarin\n',
        b"identity,split\nd/a,train\n",
    ],
)
def test_a_damaged_state_file_is_one_line_with_what_to_do(context, tmp_path, content):
    (tmp_path / "people.split.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"people\.split\.csv: .*move it away, and all people are") as caught:
        Split().run([manifest([("d/a", "1")])], context())
    assert "\n" not in str(caught.value)


def test_a_foreign_state_file_is_refused(context, tmp_path):
    (tmp_path / "people.split.csv").write_text("hello\n")
    with pytest.raises(UserError, match="it was not written by a split step: move it away"):
        Split().run([manifest([("d/a", "1")])], context())


@pytest.mark.parametrize(
    ("ratios", "message"),
    [
        ({"train": 0.5, "test": 0.4}, "sum to 0.9"),
        ({"train": 0.7, "test": 0.4}, "sum to 1.1"),
        ({"train": 1.5, "test": -0.5}, "the ratio of 'train' is 1.5: give shares from 0 to 1"),
        ({"test": -0.5, "train": 1.5}, "the ratio of 'test' is -0.5: give shares from 0 to 1"),
        ({"train": 0.5, "test": 0.500002}, "the ratios sum to 1"),
        ({"train": 0.5, "pairs": 0.5}, "'pairs' cannot be a split's name"),
        ({"train": 0.5, "../x": 0.5}, "cannot be a split's name"),
        ({}, "sum to 0"),
    ],
)
def test_bad_ratios(ratios, message):
    with pytest.raises(UserError, match=message):
        build(Split, {"ratios": ratios}, "step 'people'")


def test_ratios_are_taken_as_written():
    assert sum([0.7, 0.2, 0.1]) != 1
    assert sum(map(exact, [0.7, 0.2, 0.1])) == 1
    Split(ratios={"train": 0.7, "eval": 0.2, "test": 0.1})
    Split(ratios={"a": 0.333333, "b": 0.333333, "c": 0.333333})
    Split(ratios={"a": 0.5, "b": 0.500001})


def test_notes_tell_the_counts_and_what_is_empty(context):
    result = Split(ratios=RATIOS).run([manifest([("d/a", "1"), ("d/b", "1")])], context())
    assert result.notes[0] == "2 people: train 1, eval 0, test 1"
    assert result.notes[1].startswith("no people left for eval")


def test_read_places_takes_a_file_without_header():
    assert read_places("identity,split\nd/a,train\n", "identity", "f") == {"d/a": "train"}
    assert read_places("# x\ncapture,split\nd/a/1,test\n", "capture", "f") == {"d/a/1": "test"}
