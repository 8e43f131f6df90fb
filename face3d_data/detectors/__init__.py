"""Landmark models behind one protocol: `Detector` in `protocol.py`."""
