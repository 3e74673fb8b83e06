"""Faces for robot heads and avatars."""
