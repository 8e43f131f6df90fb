"""Baselines: methods without a network that a network has to beat."""
