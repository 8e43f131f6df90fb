"""Table steps, from manifest to manifest, and lists made from manifests."""
