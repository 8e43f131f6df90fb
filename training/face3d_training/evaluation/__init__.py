"""How well embeddings tell people apart, and what that figure is worth."""
