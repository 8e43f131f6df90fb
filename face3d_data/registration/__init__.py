"""Registration of scans to one topology: a template, its linear model, and its fit to points."""
