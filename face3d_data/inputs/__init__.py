"""Inputs of commands that recognise: captures in files, folders and videos, and their preparation for a network."""
