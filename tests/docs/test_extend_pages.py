"""The pages on a network and on a loss: followed in one folder, as the second says."""

from __future__ import annotations

import pytest
from pages import continued, follow, output_of, page

NETWORK, LOSS = "docs/extend/model.md", "docs/extend/loss.md"


@pytest.mark.slow
def test_a_network_and_losses_are_written_trained_and_checked(tmp_path):
    assert continued(page(LOSS)) == NETWORK
    said = follow(page(NETWORK), tmp_path)
    assert "nets:MyNet: " in said
    [listed] = output_of(said, "face3d models largest") or [said]
    assert "largest (network): The largest value that any point gives." in listed
    said = follow(page(LOSS), tmp_path)
    assert "Proxies" in said
    assert "seen (loss): Closeness to the person's mean" in said
