"""File codecs, without knowledge of any data set."""
