"""Sample to samples; each registers itself."""
