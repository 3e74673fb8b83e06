# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The inner loop of bounding boxes; boxes.py holds the checked public function."""

ctypedef fused Number:
    float
    double


def bounds(const Number[:, :] points, const Py_ssize_t[::1] rows):
    """Left, top, right and bottom of points (n, >= 2), n > 0, or of some rows, at least one; NaN where one is NaN."""
    cdef Py_ssize_t count = points.shape[0] if rows is None else rows.shape[0], i, row = 0 if rows is None else rows[0]
    cdef Number x, y, left = points[row, 0], right = left, top = points[row, 1], bottom = top
    for i in range(count):
        row = i if rows is None else rows[i]
        x, y = points[row, 0], points[row, 1]
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
