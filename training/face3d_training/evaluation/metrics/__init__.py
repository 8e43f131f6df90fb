"""Metrics: verification, identification, folds, and intervals over people."""
