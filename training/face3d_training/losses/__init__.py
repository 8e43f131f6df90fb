"""What is learnt from a batch, one file a family."""
