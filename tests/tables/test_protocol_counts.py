"""Each published protocol on a tree of names alone: its reader lists it, and every category has the published count."""

import names_only
import pytest
from published_rows import published_table

from face3d_data.readers.bosphorus import Bosphorus
from face3d_data.readers.eurecom_kinect import EurecomKinect
from face3d_data.readers.frgc import Frgc
from face3d_data.readers.lock3dface import Lock3DFace
from face3d_data.tables.published import make_published
from face3d_data.tables.published_rules import RULES


def made(reader, name):
    """Return the captures of a tree as a table, and the protocol on them."""
    sources = list(reader.scan())
    assert [source.problem for source in sources if source.problem] == []
    table = published_table([(source.person, source.capture, source.tags) for source in sources])
    return table, make_published(table, table, name)


def holds(table, found, name):
    rule = RULES[name]
    assert len(found.gallery) == table["identity"].iloc[found.gallery].nunique() == rule.people
    assert len(found.probe) == table["origin_id"].iloc[found.probe].nunique() == rule.probes
    assert not set(found.gallery) & set(found.probe)
    counts = found.counts()
    assert {category: counts.get(category) for category in rule.counts} == dict(rule.counts)
    whole = [one for one in found.protocols().values() if one.part_of and "/" not in one.title]
    assert sum(len(one.probe) for one in whole) == rule.probes


@pytest.fixture(scope="module")
def frgc(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frgc")
    names_only.write_frgc_names(folder, textures=False, seasons=names_only.FRGC_SEASONS)
    return folder


@pytest.mark.slow
def test_bosphorus_has_105_in_the_gallery_and_the_published_probes_of_each_category(tmp_path):
    names_only.write_bosphorus_names(tmp_path, suffixes=(".bnt",))
    table, found = made(Bosphorus(root=tmp_path), "bosphorus")
    assert len(table) == 4666
    holds(table, found, "bosphorus")
    assert set(table["code"].iloc[found.gallery]) == {"N_N"}
    assert set(table["number"].iloc[found.gallery]) == {0}
    assert found.notes == ("bosphorus: 18 rows left out: ignored by the database (IGN)",)


@pytest.mark.slow
def test_frgc_has_466_first_scans_in_the_gallery(frgc):
    table, found = made(Frgc(root=frgc), "frgc")
    assert (table["session"] != "Spring2003range").sum() == 4007
    assert len(found.gallery) == 466
    assert found.counts() == {"unlabelled": 3541}
    enrolled = table.iloc[found.gallery]
    assert enrolled["session"].value_counts().to_dict() == {"Fall2003range": 370, "Spring2004range": 96}
    assert enrolled.groupby("session")["recording"].unique().map(list).to_dict() == {
        "Fall2003range": [100],
        "Spring2004range": [200],
    }
    assert found.notes == ("frgc: 943 rows left out: of Spring 2003, the training part",)


@pytest.mark.slow
def test_frgc_with_expressions_of_a_list_has_the_published_neutral_and_non_neutral_probes(frgc):
    table, unlabelled = made(Frgc(root=frgc), "frgc")
    table["expression"] = "neutral"
    table.loc[unlabelled.probe[:1597], "expression"] = "smile"
    holds(table, make_published(table, table, "frgc"), "frgc")


@pytest.mark.slow
def test_lock3dface_has_509_videos_in_the_gallery(tmp_path):
    names_only.write_lock3dface_names(tmp_path, kinds=("DEPTH",))
    table, found = made(Lock3DFace(root=tmp_path, image="none"), "lock3dface")
    assert len(table) == 5671
    holds(table, found, "lock3dface")
    assert set(table["code"].iloc[found.gallery]) == {"NU_1"}
    assert found.counts().keys() == {"NU", "FE", "PS", "OC", "TM"}
    assert found.notes == ()


@pytest.mark.slow
def test_kinectfacedb_has_52_neutral_faces_of_session_1_and_52_probes_a_state_of_session_2(tmp_path):
    names_only.write_kinectfacedb_names(tmp_path)
    table, found = made(EurecomKinect(root=tmp_path), "eurecom_kinect")
    assert len(table) == 52 * 2 * 9
    holds(table, found, "eurecom_kinect")
    assert set(table["session"].iloc[found.probe]) == {2}
    assert found.notes == ("eurecom_kinect: 416 rows left out: of session 1, not neutral",)


def test_frames_of_the_video_that_enrols_are_no_probes(tmp_path, monkeypatch):
    monkeypatch.setattr(names_only, "LOCK3DFACE_PEOPLE", 3)
    monkeypatch.setattr(names_only, "LOCK3DFACE_VIDEOS", 36)
    names_only.write_lock3dface_names(tmp_path, kinds=("DEPTH",), frames=2)
    table, found = made(Lock3DFace(root=tmp_path, image="none"), "lock3dface")
    assert (len(table), len(found.gallery), len(found.probe)) == (72, 3, 3 * 11 * 2)
    assert "3 people enrolled and 33 videos as probes, published are 509 and 5162" in found.notes[0]
