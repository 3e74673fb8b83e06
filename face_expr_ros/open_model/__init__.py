"""Builds the open face model from MakeHuman's CC0 data; see bfm/README.md."""
