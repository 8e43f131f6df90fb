"""Sensors of synthetic captures: one module for each principle of measuring, and the draw of one sensor."""
