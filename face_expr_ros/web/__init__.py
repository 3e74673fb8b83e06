"""Web server for the page, the face model and the faces, without ROS."""
