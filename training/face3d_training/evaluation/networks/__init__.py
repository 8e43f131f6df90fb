"""Networks to evaluate: loaded, named, and checked for what they were trained on."""
