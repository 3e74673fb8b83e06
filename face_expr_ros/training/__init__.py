"""Training of the project's own networks, on rendered faces only."""
