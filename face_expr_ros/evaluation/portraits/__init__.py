"""Evaluation of blendshapes on images of faces with manually assigned grades."""
