"""Training of the package's networks on synthetic faces."""
