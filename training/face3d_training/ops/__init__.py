"""Neighbourhoods of points, in torch, on any device and without a build."""
