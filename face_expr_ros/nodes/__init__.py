"""The nodes: small, between topics and the pipeline."""
