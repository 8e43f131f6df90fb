"""Landmark models behind one protocol."""
