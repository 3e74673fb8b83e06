"""The browser side: a server that sends the page, the face model and the faces; it knows nothing of ROS."""
