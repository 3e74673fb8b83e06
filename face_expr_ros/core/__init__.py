"""Types, geometry, face models and settings that every other part uses."""
