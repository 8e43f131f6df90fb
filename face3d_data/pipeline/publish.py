"""Datasets of a run: planned, written shard by shard through the engine, checked and published by rename."""

from __future__ import annotations
