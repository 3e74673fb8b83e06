"""Blendshapes against faces graded by eye: portraits and photographs with a table of grades."""
