"""ROS interfaces: parameters, message conversion, publishers, diagnostics and node execution."""
