"""Contract checks of networks and losses; call them from the tests of a package that brings one."""

from face3d_training.testing.loss import check_loss
from face3d_training.testing.model import check_model

__all__ = ["check_loss", "check_model"]
