"""Back-ends of embeddings: scores that are learnt on training people after the network, and fusion of scores."""
