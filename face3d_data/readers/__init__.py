"""Readers: data in, one file per database or layout; each registers itself."""
