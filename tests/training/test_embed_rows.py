"""Embeddings of many faces: in order, whatever the batches, and the mean of a cloud's views."""

import numpy as np
import pytest
import torch
from tiny_sets import points_set

from face3d_data.errors import UserError
from face3d_training.config import DataConfig
from face3d_training.data import FaceRows
from face3d_training.embedding import embed_rows
from face3d_training.registry import make_spec


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return points_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return make_spec("model", "pointnet_basic", {"widths": [8, 16], "embedding_size": 6}).build().train()


def rows(dataset, **options):
    return FaceRows(dataset, "test", DataConfig(**options), "points")


@pytest.mark.slow
def test_rows_are_embedded_one_by_one_in_the_tables_order(dataset, net):
    faces = rows(dataset)
    done: list[int] = []
    found = embed_rows(net, faces, batch_size=5, progress=done.append)
    assert net.training, "the network is as it was before"
    net.eval()
    with torch.inference_mode():
        for i in (0, 4, 5, len(faces) - 1):
            alone = net(torch.from_numpy(faces.__getitems__([(i, 0, 0)])["inputs"])).numpy()[0]
            assert np.allclose(found[i], alone, atol=1e-6)
    net.train()
    assert done[-1] == len(faces)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)


@pytest.mark.slow
def test_views_share_no_point_and_their_mean_is_the_embedding(dataset, net):
    faces, whole = rows(dataset, n_points=16, views=4), rows(dataset)
    parts = [faces.__getitems__([(2, 0, view), (3, 0, view)])["inputs"] for view in range(4)]
    together = np.concatenate(parts, axis=1)
    stored = whole.__getitems__([(2, 0, 0), (3, 0, 0)])["inputs"]
    for seen, kept in zip(together, stored, strict=True):
        assert len(np.unique(seen, axis=0)) == 64
        assert np.array_equal(np.unique(seen, axis=0), np.unique(kept, axis=0))
    found = embed_rows(net, faces, batch_size=7)
    net.eval()
    with torch.inference_mode():
        mean = torch.stack([net(torch.from_numpy(part)) for part in parts]).mean(0)
    net.train()
    assert np.allclose(found[[2, 3]], torch.nn.functional.normalize(mean, dim=1).numpy(), atol=1e-6)


@pytest.mark.slow
def test_more_views_than_points_are_refused(dataset):
    with pytest.raises(UserError, match=r"data.views: 3 of 32 points each, but dataset points has 64"):
        rows(dataset, n_points=32, views=3)
