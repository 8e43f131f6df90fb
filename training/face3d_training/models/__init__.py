"""Networks that turn faces into embeddings, one file a family."""
