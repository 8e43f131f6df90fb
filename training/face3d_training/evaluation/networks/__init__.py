"""Networks that are evaluated: loaded, named, and checked for what they were trained on."""
