"""Stages: sample to samples; each registers itself."""
