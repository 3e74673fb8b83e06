"""The network of the open bundle that looks at a crop: TDDFA."""
