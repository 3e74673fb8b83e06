"""Training of the open bundle's TDDFA network, which regresses pose, shape and expression from a crop of a face."""
