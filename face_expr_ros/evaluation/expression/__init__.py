"""Accuracy of blendshapes: on synthetic faces with ground truth, on real video and photographs, and on still faces."""
