"""Codecs of file formats, independent of any data set."""
