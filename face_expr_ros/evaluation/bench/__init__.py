"""What the package costs: measurements without ROS. `face_expr_ros.nodes.bench` adds those that need it."""
