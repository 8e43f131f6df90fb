"""Databases: what a collection should hold, and how a copy of it compares."""
