"""Clean-up of labels: captures that do not look like their person, names of one person, and duplicates."""
