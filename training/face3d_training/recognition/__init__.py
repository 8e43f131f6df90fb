"""Recognition of people by a trained network: gallery, search, calibration, decisions."""
