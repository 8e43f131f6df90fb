"""Parts that several readers share; the modules here are not readers."""
