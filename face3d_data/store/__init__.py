"""What was computed, by content."""
