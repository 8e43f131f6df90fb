"""Cache of computed results, by content."""
