"""The shipped pipelines with masks, run on captures as `face3d synth` writes them."""

import shutil

import numpy as np
import pandas as pd
import pytest

from face3d_data.pipeline.build import load_pipeline
from face3d_data.pipeline.run import run
from face3d_data.shards.audit.verify import verify_dataset
from face3d_data.shards.read import Dataset
from face3d_data.synthetic.write import write_people

PEOPLE, CAPTURES = 4, 2


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """The same people's names twice: of the second root only its place says that masks are worn."""
    base = tmp_path_factory.mktemp("roots")
    for name, seed, captures in (("plain", 1, CAPTURES), ("worn", 2, 1)):
        list(write_people(base / name, PEOPLE, captures, seed=seed, width=320, height=240))
    for file in (base / "plain").glob("*/*_color.png"):
        photo = base / "photos" / file.parent.name / file.name.replace("_color", "")
        photo.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, photo)
    return base


def built(name, environment, overrides, workspace):
    pipeline = load_pipeline(name, overrides, {key: str(path) for key, path in environment.items()})
    dataset = Dataset(run(pipeline, workspace, engine="serial").datasets[name])
    assert verify_dataset(dataset.path).problems == ()
    return dataset, pd.concat([dataset.table(split) for split in dataset.splits], ignore_index=True)


@pytest.fixture(scope="module")
def rgbd(roots, tmp_path_factory):
    small = ["plain.n_points=256", "masked.n_points=256", "varied.copies=2"]
    environment = {"D415_ROOT": roots / "plain", "D415_MASKED_ROOT": roots / "worn"}
    return built("rgbd_masked", environment, small, tmp_path_factory.mktemp("rgbd"))


@pytest.fixture(scope="module")
def images(roots, tmp_path_factory):
    return built("image_masked", {"IMAGES_ROOT": roots / "photos"}, [], tmp_path_factory.mktemp("images"))


class TestRgbd:
    @pytest.mark.slow
    def test_plain_captures_get_masks_and_those_that_wear_one_do_not(self, rgbd):
        table = rgbd[1]
        fresh = table[~table["variant"].str.startswith("aug")]
        per_capture = fresh.groupby("origin_id")["mask"].agg(list)
        assert len(per_capture) == PEOPLE * (CAPTURES + 1)
        for origin, worn in per_capture.items():
            if "/worn-" in origin:
                assert worn == ["worn"]
            else:
                assert len(worn) == 3
                assert worn.count("none") == 1
                assert set(worn) <= {"none", "surgical", "kn95", "cloth"}

    @pytest.mark.slow
    def test_the_csv_says_how_much_of_a_masked_face_is_visible_and_of_others_nothing(self, rgbd):
        table = rgbd[1]
        drawn = ~table["mask"].isin(["none", "worn"])
        assert drawn.sum() == 2 * PEOPLE * CAPTURES
        assert table.loc[drawn, "visible_ratio"].between(0.3, 0.75).all()
        assert table.loc[~drawn, "visible_ratio"].isna().all()
        assert set(table.loc[drawn, "mask_worn"]) == {"proper"}
        assert set(table.loc[~drawn, "mask_worn"]) == {""}

    @pytest.mark.slow
    def test_only_training_samples_are_varied(self, rgbd):
        table = rgbd[1]
        varied = table["variant"].str.contains("aug:")
        assert set(table.loc[varied, "split"]) == {"train"}
        plain_of_train = (table["split"] == "train") & (table["variant"] == "plain")
        assert varied.sum() == 2 * plain_of_train.sum()

    @pytest.mark.slow
    def test_bare_faces_are_enrolled_and_masked_ones_looked_for(self, rgbd):
        dataset = rgbd[0]
        gallery, probe = dataset.gallery, dataset.probe
        assert set(gallery["mask"]) == {"none"}
        assert {"none"}.isdisjoint(probe["mask"])
        assert "worn" in set(probe["mask"])
        assert set(probe["identity"]) == set(gallery["identity"])
        assert {"surgical", "kn95", "cloth"} & set(probe["mask"])

    @pytest.mark.slow
    def test_the_same_people_of_both_roots_are_in_one_split(self, rgbd):
        table = rgbd[1]
        assert table.groupby("identity")["split"].nunique().eq(1).all()
        assert table["identity"].nunique() == PEOPLE


class TestImages:
    @pytest.mark.slow
    def test_each_photo_is_there_plain_and_in_two_masks_of_the_eight(self, images):
        table = images[1]
        assert len(table) == 3 * PEOPLE * CAPTURES
        assert (table.groupby("origin_id")["mask"].agg(lambda worn: (worn == "none").sum()) == 1).all()
        assert table.loc[table["mask"] != "none", "visible_ratio"].between(0.3, 0.75).all()
        styles = load_pipeline("image_masked", [], {"IMAGES_ROOT": "."}).step("worn").component.styles
        assert len(styles) == 8
        assert set(table["mask"]) <= {"none", *styles}

    @pytest.mark.slow
    def test_masked_crops_lie_as_the_plain_one_does_and_the_mouth_is_covered(self, images):
        dataset, _ = images
        seen = 0
        for split in dataset.splits:
            table, reader = dataset.table(split), dataset.reader(split)
            color = {row.sample_id: reader[row.index]["color"].astype(int) for row in table.itertuples(name="Row")}
            for row in table[table["mask"] != "none"].itertuples():
                plain, worn = color[row.origin_id], color[row.sample_id]
                assert worn.shape == (112, 112, 3)
                assert (worn[36:54, 34:78] == plain[36:54, 34:78]).all(), "the eyes are those of the photo"
                changed = np.abs(worn - plain).max(axis=2) > 8
                assert changed[80:104, 40:72].mean() > 0.9, "the template's mouth is at (56, 92)"
                seen += 1
        assert seen == 2 * PEOPLE * CAPTURES


@pytest.mark.parametrize("name", ["quickstart", "rgbd_masked", "image_masked"])
def test_a_mask_comes_after_the_split_and_before_points_are_thinned(name):
    environment = dict.fromkeys(("D415_ROOT", "D415_MASKED_ROOT", "IMAGES_ROOT"), "/somewhere")
    steps = load_pipeline(name, [], environment).steps
    order = [step.component.name for step in steps]
    mask = next(step for step in steps if step.component.name == "mask")
    assert order.index("split") < order.index("mask")
    upstream = {step.id: step.upstream for step in steps}
    thinned = [step.id for step in steps if step.component.name == "subsample"]
    above = set(thinned)
    for _ in steps:
        above |= {up for step in above for up in upstream.get(step, ())}
    assert not thinned or mask.id in above, "what is thinned has its masks on"
    assert not set(thinned) & set(mask.upstream)
