"""Masks and occluders: meshes fitted to the skin, and their cover over depth, colour and points."""
