"""Training of the expression head on synthetic portraits with known expressions and their FaceMesh landmarks."""
