"""Geometry of points, meshes and cameras: arrays in, arrays out, no I/O."""
