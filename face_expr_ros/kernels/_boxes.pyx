# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The inner loop of bounding boxes; boxes.py holds the checked public function."""

ctypedef fused Number:
    float
    double


def bounds(const Number[:, :] points):
    """Left, top, right and bottom of points (n, >= 2), n > 0; NaN where one is NaN."""
    cdef Py_ssize_t i
    cdef Number x, y, left = points[0, 0], right = left, top = points[0, 1], bottom = top
    for i in range(points.shape[0]):
        x, y = points[i, 0], points[i, 1]
        if not (x >= left):
            left = x
        if not (x <= right):
            right = x
        if not (y >= top):
            top = y
        if not (y <= bottom):
            bottom = y
        if x != x or y != y:
            return float("nan"), float("nan"), float("nan"), float("nan")
    return left, top, right, bottom
