"""Faces, images and camera calibrations as messages and JSON describe them, without ROS."""
