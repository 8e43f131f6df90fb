"""One file a command: commands parse, functions do."""
