"""rosbag2 recordings: reading, annotation with faces, export."""


class BagError(ValueError):
    """A bag cannot be read or written; the message says what was expected and what was found."""
