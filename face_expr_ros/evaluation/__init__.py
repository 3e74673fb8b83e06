"""How good the pipeline is, in numbers that anyone can repeat."""
