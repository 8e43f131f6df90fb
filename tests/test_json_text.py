"""JSON of others: one kind of error, however deep it goes."""

import pytest

from face3d_data.errors import UserError
from face3d_data.json_text import parse_json
from face3d_data.shards.read import Dataset
from face3d_data.tables.split import Split


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{", b"\xff", "9" * 5000])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def test_values():
    assert parse_json('{"a": [1, null, "x"]}') == {"a": [1, None, "x"]}


def test_a_dataset_and_a_state_with_brackets_without_end_are_one_line(tmp_path):
    from face3d_data.table import TableContext

    (tmp_path / "dataset.json").write_text("[" * 100_000)
    with pytest.raises(UserError):
        Dataset(tmp_path)
    (tmp_path / "people.split.csv").write_text("# " + "[" * 100_000 + "\nidentity,split\n")
    import pandas as pd

    from face3d_data.table import FIXED_COLUMNS

    with pytest.raises(UserError, match="it was not written by a split step"):
        Split().run([pd.DataFrame(columns=list(FIXED_COLUMNS))], TableContext("people", tmp_path, (), 0))
