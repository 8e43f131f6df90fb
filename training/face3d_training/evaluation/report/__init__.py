"""Reports of an evaluation: tables, plots, mistakes, one HTML page."""
