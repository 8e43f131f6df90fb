"""DATA IN: one file per database or layout; each registers itself."""
