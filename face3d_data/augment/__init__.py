"""Augmentation operations, one per file: draw, then apply, then record. None may change a face's identity."""
