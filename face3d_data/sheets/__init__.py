"""Sheets: pictures of a sample, of a dataset and of mask styles, from runs and readers to a file."""
