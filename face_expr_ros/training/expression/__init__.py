"""The expression head: what FaceMesh and the camera see of drawn faces whose expression is known."""
