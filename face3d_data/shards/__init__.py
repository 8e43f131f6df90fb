"""Datasets: CSVs and HDF5 shards."""
