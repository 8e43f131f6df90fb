"""Pictures of samples, sheets of many, and a sheet of mask styles."""
