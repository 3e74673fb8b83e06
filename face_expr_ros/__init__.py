"""Faces from camera images: head pose, face shape, expression and a live mesh, for ROS 2."""

import os
from pkgutil import extend_path

# The generated messages and compiled kernels live in the build's overlay, the sources may live elsewhere: join them.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"

# The matrices here are small: threads of the linear algebra library cost more than they bring, and far more when
# camera and perception share the cores. Read when NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
