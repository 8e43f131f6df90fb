"""Rows of one split, as `Dataset.table` gives them, from (person, capture, mask) alone."""

import pandas as pd

from face3d_data.names import name_of


def split_table(rows, **columns):
    """Each row is (person, capture, mask), mask 'none' or a style; further columns are tags."""
    records = []
    for number, (person, capture, mask) in enumerate(rows):
        origin = f"d/{person.partition('~')[0]}/{capture}"
        variant = "plain" if mask == "none" else f"mask:{mask}.0"
        suffix = ("~mirror~" + f"{number:08x}" if "~" in person else "") + (
            "" if mask == "none" else f"~{variant}~{number:08x}"
        )
        records.append(
            {
                "id": name_of(origin + suffix),
                "name": name_of(f"d/{person}"),
                "sample_id": origin + suffix,
                "identity": f"d/{person}",
                "dataset": "d",
                "split": "test",
                "variant": variant,
                "origin_id": origin,
                "mask": mask,
            }
        )
    return pd.DataFrame(records).assign(**columns)


def captures(people, each, masks=("none",)):
    """Return rows of so many people and captures, each capture once in each state."""
    return [(f"p{i}", f"c{j}", mask) for i in range(people) for j in range(each) for mask in masks]
