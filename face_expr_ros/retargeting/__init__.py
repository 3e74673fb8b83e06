"""Joint targets for robot heads and packets for avatars, from faces."""
