"""Faces from camera images: head pose, face shape, expression and a live mesh, for ROS 2."""

from pkgutil import extend_path

# The generated messages and compiled kernels live in the build's overlay, the sources may live elsewhere: join them.
__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
