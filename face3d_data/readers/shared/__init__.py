"""What several readers use; a module here is no reader."""
