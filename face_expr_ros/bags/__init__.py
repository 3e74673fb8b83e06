"""Recordings: rosbag2 bags are read, annotated with faces, exported and replayed."""


class BagError(ValueError):
    """A bag cannot be read or written as it is wanted; the text says what was wanted and what was given."""
