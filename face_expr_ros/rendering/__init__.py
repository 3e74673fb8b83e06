"""Drawing: synthetic faces as a camera would see them, and overlays on images."""
