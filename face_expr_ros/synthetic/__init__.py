"""A rendered person with known pose, shape and expression."""
