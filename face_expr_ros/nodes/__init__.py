"""The nodes: a callback is decode, call, publish."""

import os

# The fit's matrices are small: more threads than one only wait for each other (8 ms against 300 ms on a busy machine
# with two cores). NumPy reads this when it is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
