"""Bringing model files of others: fetched by their hash, converted once into files that hold nothing but arrays."""
