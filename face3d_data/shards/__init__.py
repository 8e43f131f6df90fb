"""DATA OUT: datasets as CSVs and HDF5 shards."""
