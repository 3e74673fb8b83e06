"""The ROS side of the wall: parameters, decoding, encoding and diagnostics."""
