"""Synthetic faces, the embedded data source: parametric people, rendered to RGB-D."""
