"""Exports of a dataset: the files that other programs read."""
