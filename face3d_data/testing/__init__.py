"""Shipped for plugins: contract checks, writers of tiny data sets, hypothesis strategies."""
