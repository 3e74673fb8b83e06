"""Model bundles: what is installed, how it is loaded, fetched and converted."""
