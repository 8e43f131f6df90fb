"""Version of the package: part of what names a run and a dataset."""

__version__ = "0.1.0"
