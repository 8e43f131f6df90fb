"""Databases: the expected content of a collection, and how a copy of it compares."""
