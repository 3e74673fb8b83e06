"""Benchmarks of run time, latency and memory."""
