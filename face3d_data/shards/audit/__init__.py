"""Audits of a dataset: files, lists, leaks between splits, near-duplicates."""
