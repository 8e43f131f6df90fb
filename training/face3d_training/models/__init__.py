"""Networks that compute embeddings of faces, one file per family."""
