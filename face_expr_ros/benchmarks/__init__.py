"""Time and memory that the package needs, measured."""
