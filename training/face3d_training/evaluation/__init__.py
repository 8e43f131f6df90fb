"""Evaluation of embeddings: how well they separate people, and how reliable that figure is."""
