"""Detectors of faces and landmarks behind one protocol: `Detector` in `protocol.py`."""
