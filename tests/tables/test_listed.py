import numpy as np
from split_table import captures, split_table

from face3d_data.tables.listed import listed_protocol

TABLE = split_table(captures(3, 3))


def ids(*people_and_captures):
    keys = {(row.identity[2:], row.origin_id.rpartition("/")[2]): row.sample_id for row in TABLE.itertuples()}
    return [keys[key] for key in people_and_captures]


def rows(*people_and_captures):
    return np.flatnonzero(np.isin(TABLE["sample_id"], ids(*people_and_captures))).tolist()


def test_all_that_is_listed_enrols_in_its_order():
    gallery, probe = ids(("p1", "c2"), ("p0", "c0"), ("p0", "c1")), ids(("p0", "c2"), ("p1", "c0"))
    protocol, notes = listed_protocol(TABLE, gallery, probe)
    assert notes == protocol.notes == ()
    assert TABLE["sample_id"][protocol.gallery].tolist() == gallery
    assert TABLE["sample_id"][protocol.probe].tolist() == probe
    assert (protocol.probe_side.tolist(), protocol.gallery_side.tolist()) == (
        protocol.probe.tolist(), protocol.gallery.tolist(),
    )  # fmt: skip


def test_probes_of_people_who_are_not_enrolled_are_left_out_with_a_note():
    protocol, _ = listed_protocol(TABLE, ids(("p0", "c0")), ids(("p0", "c1"), ("p2", "c0"), ("p2", "c1")))
    assert protocol.probe.tolist() == rows(("p0", "c1"))
    assert sorted(protocol.probe_side) == rows(("p0", "c1"), ("p2", "c0"), ("p2", "c1"))
    assert protocol.notes == ("2 probes of 1 person are left out: nobody of their name is enrolled",)


def test_samples_of_other_splits_are_counted():
    protocol, _ = listed_protocol(TABLE, [*ids(("p0", "c0")), "elsewhere"], ids(("p0", "c1")))
    assert protocol.notes == ("gallery.csv: 1 sample lies in another split",)


def test_lists_of_another_split_alone_make_no_protocol():
    note = "gallery.csv: 2 samples lie in another split: the protocol 'listed' is left out"
    assert listed_protocol(TABLE, ["x", "y"], ids(("p0", "c1"))) == (None, (note,))
    assert listed_protocol(TABLE, ids(("p0", "c1")), []) == (None, ())
