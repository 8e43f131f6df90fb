import pytest

from face3d_data.table import TableContext


@pytest.fixture
def context(tmp_path):
    def make(seed=0, step="people", base_dirs=None):
        return TableContext(step, tmp_path, base_dirs or (tmp_path,), seed)

    return make
