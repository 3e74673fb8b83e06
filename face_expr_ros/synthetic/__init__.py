"""Rendering of synthetic faces with known pose, shape and expression."""
