"""Manifest to manifest, and lists made from manifests."""
