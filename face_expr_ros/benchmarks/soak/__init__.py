"""Soak test: the nodes as processes under continuous faults, with checks of every message; `run.run_soak` starts it.

`feed` is a camera driver with all irregularities of real ones, `faults` lists what is done to the nodes, `monitor`
checks their messages, `verdict` decides.
"""
