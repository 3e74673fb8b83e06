# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The alignment of a face to the canonical one; face_alignment.py holds the checked public function."""

from face_expr_ros.kernels._similarity cimport best_rotation

ctypedef fused Number:
    float
    double


def describe(const double[:, ::1] points, const double[:, ::1] canonical, double unit, const double[:, ::1] rotation,
             float[::1] out):
    """out (3 n + 3,): differences of points (n, 3), in 1 / unit, and the last row of the rotation"""
    cdef Py_ssize_t n = points.shape[0], i
    cdef int a
    with nogil:
        for i in range(n):
            for a in range(3):
                out[3 * i + a] = <float>((points[i, a] - canonical[i, a]) * unit)
        for a in range(3):
            out[3 * n + a] = <float>rotation[2, a]


def align(const Number[:, :] points, const double[:, ::1] canonical, const Py_ssize_t[::1] rigid,
          double[:, ::1] rotation, double[::1] offset, double[:, ::1] out):
    """rotation (3, 3) and offset (3,) from canonical axes to the image's with y up and z to the viewer; out (n, 3).

    Returns:
        the scale; the points are finite only if the sum that is returned second is.
    """
    cdef Py_ssize_t n = points.shape[0], i
    cdef int a, b
    cdef double[3] source
    cdef double[3] target
    cdef double[3] centered
    cdef double[3] moved
    cdef double[9] products
    cdef double[3] signs = [1, -1, -1]  # FaceMesh's y points down and its z away from the camera
    cdef double spread = 0, scale, total = 0
    with nogil:
        for a in range(3):
            source[a] = target[a] = 0
        for a in range(9):
            products[a] = 0
        for i in range(rigid.shape[0]):
            for a in range(3):
                source[a] += canonical[rigid[i], a]
                target[a] += signs[a] * points[rigid[i], a]
        for a in range(3):
            source[a] /= rigid.shape[0]
            target[a] /= rigid.shape[0]
        for i in range(rigid.shape[0]):
            for b in range(3):
                centered[b] = canonical[rigid[i], b] - source[b]
                spread += centered[b] * centered[b]
            for a in range(3):
                for b in range(3):
                    products[3 * a + b] += (signs[a] * points[rigid[i], a] - target[a]) * centered[b]
        scale = best_rotation(products, &rotation[0, 0]) / spread
        for a in range(3):
            offset[a] = target[a] - scale * (rotation[a, 0] * source[0] + rotation[a, 1] * source[1]
                                             + rotation[a, 2] * source[2])
        for i in range(n):
            for a in range(3):
                moved[a] = (signs[a] * points[i, a] - offset[a]) / scale
                total += points[i, a]
            for a in range(3):
                out[i, a] = rotation[0, a] * moved[0] + rotation[1, a] * moved[1] + rotation[2, a] * moved[2]
    return scale, total
