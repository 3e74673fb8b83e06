"""Overlays, meshes, depth maps and textures of fitted faces."""
